// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Test} from "forge-std/Test.sol";
import {SSTORE2} from "solady/src/utils/SSTORE2.sol";

import {IScorer} from "../interfaces/IScorer.sol";
import {plainFacts} from "./PlainFacts.sol";

/// @title Random reports, calibrations and ways to cut a computation, for the scorers' tests.
abstract contract Games is Test {
    /// @dev By kind: the truth with errors, a constant, anything, a wrong length, a label that is no class.
    function _reports(uint256 seed, uint256 n, uint256 tasks, uint256 classes)
        internal
        pure
        returns (bytes[] memory reports)
    {
        reports = new bytes[](n);
        for (uint256 i; i < n; ++i) {
            uint256 kind = _draw(seed, i, type(uint256).max) % 16;
            reports[i] = new bytes(kind == 14 ? tasks + 1 - 2 * (seed & 1) : tasks);
            for (uint256 t; t < reports[i].length; ++t) {
                uint256 label = _truth(seed, t, classes);
                if (kind < 2) label = kind * (classes - 1);
                else if (kind < 4 || _draw(seed, i, t) % 8 < i % 5) label = _draw(seed, i, t) >> 8;
                reports[i][t] = bytes1(uint8(label % classes));
            }
            if (kind == 15) reports[i][_draw(seed, i, 0) % tasks] = bytes1(uint8(classes + (seed >> 8) % (256 - classes)));
        }
    }

    /// @dev Mostly right, some wrong, some about no task or no class; sometimes with a rest.
    function _calibration(uint256 seed, uint256 items, uint256 tasks, uint256 classes)
        internal
        pure
        returns (bytes memory calibration)
    {
        for (uint256 c; c < items; ++c) {
            uint256 word = _draw(seed, c, type(uint128).max);
            uint256 task = (word >> 8) % tasks;
            uint256 label = word % 8 == 0 ? word >> 64 : _truth(seed, task, classes);
            if (word % 16 == 1) task = tasks + (word >> 128) % (65_536 - tasks);
            if (word % 16 == 2) label = classes + (word >> 128) % (256 - classes);
            else label %= classes;
            calibration = abi.encodePacked(calibration, uint16(task), uint8(label));
        }
        if (seed % 4 == 0) calibration = abi.encodePacked(calibration, uint16(0));
    }

    function _truth(uint256 seed, uint256 task, uint256 classes) private pure returns (uint256) {
        return _draw(seed, 1 << 128, task) % classes;
    }

    function _draw(uint256 seed, uint256 i, uint256 t) internal pure returns (uint256) {
        return uint256(keccak256(abi.encode(seed, i, t)));
    }

    function _store(bytes[] memory reports) internal returns (address[] memory pointers) {
        pointers = new address[](reports.length);
        for (uint256 i; i < reports.length; ++i) {
            pointers[i] = SSTORE2.write(reports[i]);
        }
    }

    /// @dev Score in steps, cut at random; returns how many it took.
    function _inSteps(IScorer scorer, address[] memory pointers, bytes memory calibration, uint256 seed, uint256 most)
        internal
        view
        returns (int256[] memory scores, uint256[] memory qualities, uint256 steps)
    {
        bytes memory progress;
        IScorer.Facts memory facts = plainFacts(new uint64[](pointers.length), calibration, bytes32(seed));
        for (bool done; !done; ++steps) {
            uint256 work = most == 0 ? 0 : _draw(seed, steps, most) % most;
            (done, progress, scores, qualities) =
                scorer.resume(pointers, facts, progress, work);
            require(done == (progress.length == 0), "a progress just when it is not done");
        }
    }
}
