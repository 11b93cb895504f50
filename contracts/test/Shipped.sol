// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Vm} from "forge-std/Vm.sol";

import {FederatedTask} from "../FederatedTask.sol";
import {Reputation} from "../Reputation.sol";
import {TestToken} from "../TestToken.sol";
import {AllowList} from "../admissions/AllowList.sol";
import {Invitations} from "../admissions/Invitations.sol";
import {IFederatedTask} from "../interfaces/IFederatedTask.sol";
import {VRFRandomness} from "../randomness/VRFRandomness.sol";
import {IScorer} from "../interfaces/IScorer.sol";
import {ByRole} from "../schedules/ByRole.sol";
import {Proportional} from "../schedules/Proportional.sol";
import {TopK} from "../schedules/TopK.sol";
import {CorrelatedAgreementScorer} from "../scorers/CorrelatedAgreementScorer.sol";
import {OutputAgreementScorer} from "../scorers/OutputAgreementScorer.sol";
import {PeerReviewScorer} from "../scorers/PeerReviewScorer.sol";
import {PeerTruthSerumScorer} from "../scorers/PeerTruthSerumScorer.sol";
import {RoleRewardScorer} from "../scorers/RoleRewardScorer.sol";
import {SampleCountScorer} from "../scorers/SampleCountScorer.sol";
import {WeightedPeerTruthSerumScorer} from "../scorers/WeightedPeerTruthSerumScorer.sol";

/// @title The contracts as users get them: the bytecode in the package's artifacts, not a compilation of the tests' own.
/// @dev `make contracts` writes the artifacts; after a change of a contract it comes before the tests, and CI checks that
///      they are those of the sources. Each function takes what the contract's constructor takes, and a constructor's
///      refusal arrives as it would from `new`, which the tests do without: it would have the contract compiled once
///      more, in another way.
library Shipped {
    Vm private constant VM = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    function federatedTask(IFederatedTask.Settings memory settings) internal returns (FederatedTask) {
        return FederatedTask(_create("FederatedTask", abi.encode(settings)));
    }

    function reputation() internal returns (Reputation) {
        return Reputation(_create("Reputation", ""));
    }

    function testToken() internal returns (TestToken) {
        return TestToken(_create("TestToken", ""));
    }

    function allowList(bytes32 root) internal returns (AllowList) {
        return AllowList(_create("AllowList", abi.encode(root)));
    }

    function invitations(address inviter, string memory purpose) internal returns (Invitations) {
        return Invitations(_create("Invitations", abi.encode(inviter, purpose)));
    }

    function vrfRandomness(address coordinator, VRFRandomness.Parameters memory parameters)
        internal
        returns (VRFRandomness)
    {
        return VRFRandomness(_create("VRFRandomness", abi.encode(coordinator, parameters)));
    }

    function proportional(int256 minimumScore) internal returns (Proportional) {
        return Proportional(_create("Proportional", abi.encode(minimumScore)));
    }

    function byRole(uint64 workers, uint64 validators, uint64 miners, int256 minimumScore) internal returns (ByRole) {
        return ByRole(_create("ByRole", abi.encode(workers, validators, miners, minimumScore)));
    }

    function roleRewardScorer(IScorer inner, uint64 unit, uint64 gainUnit, uint256 threshold)
        internal
        returns (RoleRewardScorer)
    {
        return RoleRewardScorer(_create("RoleRewardScorer", abi.encode(inner, unit, gainUnit, threshold)));
    }

    function topK(uint256 k) internal returns (TopK) {
        return TopK(_create("TopK", abi.encode(k)));
    }

    /// @dev With the scorer's default rule. An address alone: its type would have the library compiled in the tests' way,
    ///      for which it has too many variables.
    function alignmentScorer(uint256 bits, uint256 parameters, uint256 unit, uint64 window) internal returns (address) {
        return _create("AlignmentScorer", abi.encode(bits, parameters, unit, window, true, true, false));
    }

    function peerReviewScorer(uint256 threshold, uint256 floor) internal returns (PeerReviewScorer) {
        return PeerReviewScorer(_create("PeerReviewScorer", abi.encode(threshold, floor)));
    }

    function peerTruthSerumScorer(uint256 classes, uint256 tasks) internal returns (PeerTruthSerumScorer) {
        return PeerTruthSerumScorer(_create("PeerTruthSerumScorer", abi.encode(classes, tasks)));
    }

    function sampleCountScorer() internal returns (SampleCountScorer) {
        return SampleCountScorer(_create("SampleCountScorer", ""));
    }

    function weightedPeerTruthSerumScorer(uint256 classes, uint256 tasks, uint256 deviations)
        internal
        returns (WeightedPeerTruthSerumScorer)
    {
        return WeightedPeerTruthSerumScorer(
            _create("WeightedPeerTruthSerumScorer", abi.encode(classes, tasks, deviations))
        );
    }

    function correlatedAgreementScorer(
        uint256 classes,
        uint256 tasks,
        uint256 bonusTasks,
        uint256 peers,
        uint256 deviations
    ) internal returns (CorrelatedAgreementScorer) {
        return CorrelatedAgreementScorer(
            _create("CorrelatedAgreementScorer", abi.encode(classes, tasks, bonusTasks, peers, deviations))
        );
    }

    function outputAgreementScorer(uint256 classes, uint256 tasks, uint256 peers, uint256 deviations)
        internal
        returns (OutputAgreementScorer)
    {
        return OutputAgreementScorer(_create("OutputAgreementScorer", abi.encode(classes, tasks, peers, deviations)));
    }

    function _create(string memory contractName, bytes memory arguments) private returns (address created) {
        bytes memory code = VM.getCode(string.concat("flwr_chainfl/ledger/artifacts/", contractName, ".json"));
        code = abi.encodePacked(code, arguments);
        assembly ("memory-safe") {
            created := create(0, add(code, 0x20), mload(code))
            if iszero(created) {
                returndatacopy(0, 0, returndatasize())
                revert(0, returndatasize())
            }
        }
        VM.label(created, contractName);
    }
}
