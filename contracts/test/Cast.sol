// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {FederatedTask} from "../FederatedTask.sol";
import {TestToken} from "../TestToken.sol";
import {IFederatedTask} from "../interfaces/IFederatedTask.sol";
import {IScorer} from "../interfaces/IScorer.sol";
import {Signer} from "./Signer.sol";
import {plainFacts} from "./PlainFacts.sol";

/// @title The members and bystanders of a random play, and what each reports in a round.
abstract contract Cast is Signer {
    FederatedTask public immutable task;
    TestToken internal immutable _token;
    IScorer private immutable _scorer;
    IFederatedTask.Settings internal _s;

    address[] internal _people; // ascending
    mapping(address person => uint256) internal _key;
    address[] private _bystanders; // who posts, challenges and meddles
    address internal constant _BURN = address(0xdEaD);

    constructor(FederatedTask task_, uint256[] memory keys, address[] memory bystanders) {
        task = task_;
        _s = task_.settings();
        _token = TestToken(_s.token);
        _scorer = IScorer(_s.scorer);
        for (uint256 i; i < keys.length; ++i) {
            address person = vm.addr(keys[i]);
            _people.push(person);
            _key[person] = keys[i];
        }
        _bystanders = bystanders;
    }

    function everybody() public view returns (address[] memory all) {
        all = new address[](_people.length + _bystanders.length + 2);
        for (uint256 i; i < _people.length; ++i) {
            all[i] = _people[i];
        }
        for (uint256 i; i < _bystanders.length; ++i) {
            all[_people.length + i] = _bystanders[i];
        }
        all[all.length - 2] = task.requester();
        all[all.length - 1] = _BURN;
    }

    // Spreads the fuzzer's mostly small words over all their bits.
    function _mix(uint256 word) internal pure returns (uint256) {
        return uint256(keccak256(abi.encode(word)));
    }

    function _person(uint256 word) internal view returns (address) {
        return _people[word % _people.length];
    }

    function _bystander(uint256 word) internal view returns (address) {
        return _bystanders[(word >> 9) % _bystanders.length];
    }

    // One of the five newest rounds.
    function _round(uint256 word) internal view returns (uint32) {
        uint32 back = uint32((word >> 40) % 5);
        return task.round() > back ? task.round() - back : task.round();
    }

    function _revealed(uint32 round) internal view returns (address[] memory who) {
        who = new address[](task.roundOf(round).revealed);
        uint256 next;
        for (uint256 i; i < _people.length; ++i) {
            if (task.hasRevealed(round, _people[i])) who[next++] = _people[i];
        }
    }

    function _scores(uint32 round, address[] memory who, bytes memory calibration)
        internal
        view
        returns (int256[] memory, uint256[] memory)
    {
        bytes[] memory reports = new bytes[](who.length);
        for (uint256 i; i < who.length; ++i) {
            reports[i] = _report(who[i], round);
        }
        return _scorer.score(reports, plainFacts(new uint64[](who.length), calibration, 0));
    }

    // In every second round; in every fourth it says that a constant is the truth.
    function _calibration(uint32 round) internal pure returns (bytes memory) {
        if (round % 2 == 0) return "";
        return round % 4 == 1 ? bytes(hex"000101000202000301000402") : bytes(hex"000100000200000300000400");
    }

    function _commitmentToCalibration(uint32 round) internal pure returns (bytes32) {
        if (round % 2 == 0) return 0;
        return keccak256(abi.encode(_calibration(round), _calibrationSalt(round)));
    }

    function _calibrationSalt(uint32 round) internal pure returns (bytes32) {
        return keccak256(abi.encode("calibration", round));
    }

    // Mostly the truth, sometimes a constant, sometimes nothing that could be scored.
    function _report(address person, uint32 round) internal pure returns (bytes memory) {
        uint256 kind = uint256(keccak256(abi.encode(person, round))) % 8;
        if (kind == 0) return hex"ff00";
        if (kind < 3) return hex"000000000000";
        return hex"000102010200";
    }

    function _digest(address person, uint32 round) internal pure returns (bytes32) {
        return keccak256(abi.encode("content", person, round));
    }

    function _salt(address person, uint32 round) internal pure returns (bytes32) {
        return keccak256(abi.encode("salt", person, round));
    }

    function _payload(address person, uint32 round) internal pure returns (bytes32) {
        return keccak256(abi.encode(_digest(person, round), keccak256(_report(person, round))));
    }

    function _commitment(address person, uint32 round) internal view returns (bytes32) {
        return keccak256(
            abi.encode(block.chainid, address(task), round, person, _payload(person, round), _salt(person, round))
        );
    }
}
