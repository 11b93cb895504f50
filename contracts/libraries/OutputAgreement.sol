// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title Output agreement of two reports of hard labels, scaled by how common each label is among the others.
/// @notice Twin of `flwr_chainfl.scoring.output_agreement`, equal bit for bit.
/// @dev Source: Radanovic, Faltings, Jurca, "Incentives for effort in crowdsourcing using the peer truth serum",
///      ACM TIST 7(4):48, 2016; in the form of docs/protocols/peer-prediction.md.
library OutputAgreement {
    uint256 private constant WAD = 1e18;

    /// @notice Add a report's labels to how often each occurs.
    /// @param report One byte a task, each a class.
    /// @param counts One a class; changed in place.
    function count(bytes memory report, uint256[] memory counts) internal pure {
        assembly ("memory-safe") {
            let first := add(counts, 0x20)
            let label := add(report, 0x20)
            for { let end := add(label, mload(report)) } lt(label, end) { label := add(label, 1) } {
                let slot := add(first, shl(5, byte(0, mload(label))))
                mstore(slot, add(mload(slot), 1))
            }
        }
    }

    /// @notice What two reports earn by agreeing with each other.
    /// @param first One byte a task, each a class.
    /// @param second As long as the first.
    /// @param counts How often each class occurs in all reports, these two among them.
    /// @return agreed Tasks on which they agree.
    /// @return ofFirst WAD, added up over these tasks: the labels of the others of the first, over how many of them are
    ///         the one agreed on.
    /// @return ofSecond The same for the second.
    function earnings(bytes memory first, bytes memory second, uint256[] memory counts)
        internal
        pure
        returns (uint256 agreed, uint256 ofFirst, uint256 ofSecond)
    {
        uint256 classes = counts.length;
        uint256[] memory common = new uint256[](classes);
        uint256[] memory ownFirst = new uint256[](classes);
        uint256[] memory ownSecond = new uint256[](classes);
        count(first, ownFirst);
        count(second, ownSecond);
        _countCommon(first, second, common);
        uint256 labels;
        for (uint256 k; k < classes; ++k) {
            labels += counts[k];
        }
        labels = (labels - first.length) * WAD;
        for (uint256 k; k < classes; ++k) {
            uint256 times = common[k];
            if (times == 0) continue;
            agreed += times;
            ofFirst += times * (labels / (counts[k] - ownFirst[k]));
            ofSecond += times * (labels / (counts[k] - ownSecond[k]));
        }
    }

    /// @dev Add how often two reports agree on each class.
    function _countCommon(bytes memory first, bytes memory second, uint256[] memory counts) private pure {
        assembly ("memory-safe") {
            let table := add(counts, 0x20)
            let x := add(first, 0x20)
            let y := add(second, 0x20)
            for { let end := add(x, mload(first)) } lt(x, end) { x := add(x, 1) } {
                let label := byte(0, mload(x))
                let slot := add(table, shl(5, label))
                mstore(slot, add(mload(slot), eq(label, byte(0, mload(y)))))
                y := add(y, 1)
            }
        }
    }
}
