// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
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

    /// @dev What every part has in its code.
    struct Fixed {
        IERC20 token;
        IScorer scorer;
        ISchedule schedule;
        address admission;
        address randomness;
        address requester;
        bytes32 formula;
    }

    /// @dev So many rounds can be settled side by side with lanes that serve again; further ones have a lane for themselves.
    uint32 internal constant LANES = 128;
    bytes32 private constant DOMAIN_TYPEHASH =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");

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
    uint128 internal _lanes; // bit by bit, those that a round is in that is not closed
    address internal _terms; // pointer to the content address

    address[] internal _members; // by position; the place of one that left goes to the next that joins
    uint32[] internal _vacant; // positions
    mapping(uint256 word => uint256) internal _active;
    mapping(address participant => Member) internal _member;
    mapping(address owner => uint256) internal _balances; // besides what is in a member's own record
    mapping(uint32 round => Round) internal _rounds;
    /// @dev By position, those from whom something is to come: a worker's bit goes with its reveal.
    mapping(uint32 round => mapping(uint256 word => uint256)) internal _selection;
    /// @dev What a participant left in a lane stays there until it commits in another round of the same lane, since a slot
    ///      that is empty is dear to fill. The round is inside a commitment, so none stands for one of another round.
    mapping(uint32 lane => mapping(address participant => bytes32)) internal _commitments;
    mapping(uint32 round => mapping(address participant => address)) internal _reports;

    /// @dev By position, as drawn at the opening; the other active members were workers.
    mapping(uint32 round => mapping(uint256 word => uint256)) internal _validators;
    mapping(uint32 round => mapping(uint256 word => uint256)) internal _miners;
    /// @dev Pointers: 12 bytes a mark, the subject's position (0: the task itself) and its score.
    mapping(uint32 round => mapping(address participant => address)) internal _marks;
    mapping(uint32 round => mapping(address participant => bytes32)) internal _attestations;
    mapping(uint32 round => mapping(bytes32 aggregate => uint32)) internal _support;
    mapping(uint32 round => mapping(address participant => bool)) internal _equivocated;
    bytes32 public lastAggregate; // of the newest sealed round

    modifier onlyRequester() {
        _checkRequester();
        _;
    }

    modifier whenTask(TaskStatus expected) {
        _checkTask(expected);
        _;
    }

    constructor(Fixed memory f) {
        token = f.token;
        scorer = f.scorer;
        schedule = f.schedule;
        _admission = f.admission;
        _randomness = f.randomness;
        requester = f.requester;
        formula = f.formula;
    }

    function _seed(uint32 round_) internal view returns (bytes32) {
        bytes32 entropy = _rounds[round_].entropy;
        address randomness = _randomness;
        if (randomness != address(0)) entropy ^= IRandomness(randomness).wordOf(address(this), round_);
        return _seedOf(round_, entropy);
    }

    function _seedOf(uint32 round_, bytes32 entropy) internal view returns (bytes32) {
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

    /// @dev Whether members have different roles.
    function _hasRoles() internal view returns (bool) {
        return _settings.validators != 0 || _settings.miners != 0;
    }

    /// @dev Of a member, from its position less 1, in a round that was opened.
    function _roleOf(uint32 round_, uint256 index) internal view returns (Role) {
        uint256 bit = 1 << (index & 255);
        if (_validators[round_][index >> 8] & bit != 0) return Role.Validator;
        return _miners[round_][index >> 8] & bit != 0 ? Role.Miner : Role.Worker;
    }

    function _isSelected(uint32 round_, uint256 index) internal view returns (bool) {
        return _selection[round_][index >> 8] & (1 << (index & 255)) != 0;
    }

    /// @dev Whether a member has opened its commitment in a round, the last that it committed in.
    function _hasRevealed(uint32 round_, Member storage member) internal view returns (bool) {
        return member.committedRound == round_ && round_ != 0 && !_isSelected(round_, member.position - 1);
    }

    function _verify(address participant, bytes32 structHash, Signature calldata signature) internal view {
        _verify(_domainSeparator(), participant, structHash, signature);
    }

    function _verify(bytes32 domain, address participant, bytes32 structHash, Signature calldata signature)
        internal
        pure
    {
        bytes32 hash = MessageHashUtils.toTypedDataHash(domain, structHash);
        (address recovered,,) = ECDSA.tryRecover(hash, signature.r, signature.vs);
        if (recovered != participant || recovered == address(0)) revert InvalidSignature(participant, recovered);
    }

    function _domainSeparator() internal view returns (bytes32) {
        return keccak256(
            abi.encode(DOMAIN_TYPEHASH, keccak256("FederatedTask"), keccak256("1"), block.chainid, address(this))
        );
    }

    function _pull(address from, uint256 amount) internal {
        if (amount == 0) return;
        uint256 before = token.balanceOf(address(this));
        token.safeTransferFrom(from, address(this), amount);
        uint256 received = token.balanceOf(address(this)) - before;
        if (received != amount) revert TokenShortfall(received, amount);
    }

    /// @dev Check that a commitment in a round is opened by this.
    function _checkOpens(
        uint32 round_,
        uint32 lane,
        address participant,
        bytes32 contentDigest,
        bytes32 reportHash,
        bytes32 salt
    ) internal view {
        bytes32 payloadHash = keccak256(abi.encode(contentDigest, reportHash));
        bytes32 commitment =
            keccak256(abi.encode(block.chainid, address(this), round_, participant, payloadHash, salt));
        bytes32 expected = _commitments[lane][participant];
        if (commitment != expected) revert CommitmentMismatch(participant, commitment, expected);
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

    /// @dev The end of judging.
    function _assessDeadline(Round storage r) internal view returns (uint64) {
        return r.revealDeadline + _settings.assessSeconds;
    }

    /// @dev The end of attesting, from which the settlement period counts.
    function _sealDeadline(Round storage r) internal view returns (uint64) {
        return _assessDeadline(r) + _settings.sealSeconds;
    }

    /// @dev Whether all that judge have done so, or it is too late for it.
    function _assessmentsClosed(Round storage r) internal view returns (bool) {
        if (!_revealsClosed(r)) return false;
        if (_settings.assessSeconds == 0 || r.revealed == 0) return true;
        return block.timestamp > _assessDeadline(r) || r.assessed == (_hasRoles() ? r.validators : r.revealed);
    }

    function _checkAssessmentsClosed(uint32 round_, Round storage r) internal view {
        _checkRevealsClosed(round_, r);
        if (!_assessmentsClosed(r)) revert AssessPhaseOpen(round_, _assessDeadline(r));
    }

    /// @dev What a scorer is told of participants, ascending, besides their reports.
    function _facts(uint32 round_, address[] memory participants, bytes calldata calibration)
        internal
        view
        returns (IScorer.Facts memory facts)
    {
        uint256 n = participants.length;
        facts = IScorer.Facts(
            new uint64[](n), calibration, _seed(round_), new uint8[](n), new uint64[][](n), new bool[](n)
        );
        bool roles = _hasRoles();
        bytes32 aggregate = _rounds[round_].aggregate;
        uint256[] memory columns = new uint256[](_settings.assessSeconds == 0 ? 0 : _members.length + 1);
        if (columns.length > 0) columns[0] = n;
        for (uint256 i; i < n; ++i) {
            Member storage member = _member[participants[i]];
            uint256 position = member.position;
            facts.samples[i] = member.samples;
            if (columns.length > 0) columns[position] = i;
            if (!roles) continue;
            facts.roles[i] = uint8(_roleOf(round_, position - 1));
            facts.attested[i] = aggregate != 0 && _attestations[round_][participants[i]] == aggregate;
        }
        if (columns.length == 0) return facts;
        for (uint256 i; i < n; ++i) {
            address pointer = _marks[round_][participants[i]];
            if (pointer == address(0)) continue;
            bytes memory marks = SSTORE2.read(pointer);
            uint64[] memory row = new uint64[](n + 1);
            for (uint256 k; 12 * k < marks.length; ++k) {
                (uint256 position, uint256 score) = _markAt(marks, k);
                row[columns[position]] = uint64(score + 1);
            }
            facts.marks[i] = row;
        }
    }

    /// @dev A mark of a stored set: the subject's position, 0 for the task itself, and its score.
    function _markAt(bytes memory marks, uint256 k) internal pure returns (uint256 position, uint256 score) {
        uint256 mark;
        assembly ("memory-safe") {
            mark := shr(160, mload(add(add(marks, 0x20), mul(k, 12))))
        }
        return (mark >> 64, uint64(mark));
    }
}
