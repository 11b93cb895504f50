// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {SSTORE2} from "solady/src/utils/SSTORE2.sol";

import {IFederatedTask} from "../interfaces/IFederatedTask.sol";
import {IRandomness} from "../interfaces/IRandomness.sol";
import {ISchedule} from "../interfaces/ISchedule.sol";
import {IScorer} from "../interfaces/IScorer.sol";

/// @title What a task is made of, for the contracts that its code is spread over.
/// @dev A contract may have 24,576 bytes of code (EIP-170). `FederatedTask` is the task: it holds this state and the money.
///      Its other parts, such as `Settlement`, run in its place (delegatecall), over the same state. All of them have
///      this contract as their only base, so that each finds everything where the others do: state goes here and
///      nowhere else.
abstract contract TaskState is IFederatedTask, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;

    /// @dev Lowest bit of a submission: set once it is a revealed payload hash, clear while it is a commitment.
    bytes32 internal constant REVEALED = bytes32(uint256(1));

    IERC20 public immutable token;
    IScorer public immutable scorer;
    ISchedule public immutable schedule;
    address public immutable requester;
    bytes32 public immutable formula;
    address internal immutable _admission; // here too, so that a task without one reads no slot for it
    address internal immutable _randomness; // so too

    Settings internal _settings;
    TaskStatus public status;
    uint32 public rounds; // promised so far
    uint32 public round; // the newest one opened, from 1
    uint32 public finalRounds; // rounds 1 … finalRounds are paid or void
    uint32 public activeMembers;
    uint96 public pool; // token units not yet in a round
    uint96 public forfeited; // token units from slashes, for the next round's pay
    uint32 public recordedRounds; // rounds 1 … recordedRounds are void or in the registry of reputations
    address internal _terms; // pointer to the content address

    address[] internal _members; // by position; the place of one that left goes to the next that joins
    uint32[] internal _vacant; // positions
    mapping(address participant => uint256) public departures;
    mapping(uint256 word => uint256) internal _active;
    mapping(address participant => Member) internal _member;
    mapping(address owner => uint256) public balances;
    mapping(uint32 round => Round) internal _rounds;
    mapping(uint32 round => mapping(uint256 word => uint256)) internal _selection;
    /// @dev A commitment, or once revealed the payload hash; told apart by the lowest bit.
    mapping(uint32 round => mapping(address participant => bytes32)) internal _submissions;
    mapping(uint32 round => mapping(address participant => address)) internal _reports;

    modifier onlyRequester() {
        _checkRequester();
        _;
    }

    modifier whenTask(TaskStatus expected) {
        _checkTask(expected);
        _;
    }

    constructor(Settings memory s, address requester_, bytes32 formula_) {
        token = IERC20(s.token);
        scorer = IScorer(s.scorer);
        schedule = ISchedule(s.schedule);
        _admission = s.admission;
        _randomness = s.randomness;
        requester = requester_;
        formula = formula_;
    }

    function _seed(uint32 round_) internal view returns (bytes32) {
        bytes32 entropy = _rounds[round_].entropy;
        address randomness = _randomness;
        if (randomness != address(0)) entropy ^= IRandomness(randomness).wordOf(address(this), round_);
        return keccak256(abi.encode(block.chainid, address(this), round_, entropy));
    }

    function _publish(
        uint32 round_,
        Round storage r,
        address participant,
        bytes32 contentDigest,
        bytes calldata report
    ) internal {
        _reports[round_][participant] = SSTORE2.write(report);
        ++r.published;
        emit ReportPublished(round_, participant, contentDigest);
    }

    function _pull(address from, uint256 amount) internal {
        if (amount == 0) return;
        uint256 before = token.balanceOf(address(this));
        token.safeTransferFrom(from, address(this), amount);
        uint256 received = token.balanceOf(address(this)) - before;
        if (received != amount) revert TokenShortfall(received, amount);
    }

    function _checkRequester() internal view {
        if (msg.sender != requester) revert NotRequester(msg.sender, requester);
    }

    function _checkTask(TaskStatus expected) internal view {
        if (status != expected) revert WrongTaskStatus(status, expected);
    }

    function _checkReached(uint64 deadline) internal view {
        if (block.timestamp <= deadline) revert DeadlineNotReached(deadline);
    }

    function _checkNotPassed(uint64 deadline) internal view {
        if (block.timestamp > deadline) revert DeadlinePassed(deadline);
    }

    function _checkLength(uint256 length, uint256 expected) internal pure {
        if (length != expected) revert LengthMismatch(length, expected);
    }

    function _checkRevealsClosed(uint32 round_, Round storage r) internal view {
        if (!_revealsClosed(r)) revert RevealPhaseOpen(round_, r.revealDeadline);
    }

    function _current(uint32 round_) internal view returns (Round storage r) {
        if (round_ != round || round_ == 0) revert WrongRound(round_, round);
        r = _inStatus(round_, RoundStatus.Open);
    }

    function _inStatus(uint32 round_, RoundStatus expected) internal view returns (Round storage r) {
        r = _rounds[round_];
        if (r.status != expected) revert WrongRoundStatus(round_, r.status, expected);
    }

    function _commitsClosed(Round storage r) internal view returns (bool) {
        return block.timestamp > r.commitDeadline || r.committed == r.selected;
    }

    function _revealsClosed(Round storage r) internal view returns (bool) {
        return _commitsClosed(r) && (block.timestamp > r.revealDeadline || r.revealed == r.committed);
    }
}
