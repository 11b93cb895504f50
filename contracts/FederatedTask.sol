// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {SSTORE2} from "solady/src/utils/SSTORE2.sol";

import {IAdmission} from "./interfaces/IAdmission.sol";
import {IFederatedTask} from "./interfaces/IFederatedTask.sol";
import {IRandomness} from "./interfaces/IRandomness.sol";
import {IReputation} from "./interfaces/IReputation.sol";
import {ISchedule} from "./interfaces/ISchedule.sol";
import {IScorer} from "./interfaces/IScorer.sol";

/// @title One federated learning task: its members, its rounds and its money.
/// @notice In every round the members commit to what they contribute, reveal it, are scored and are paid. Scores are
///         posted against a bond; within the challenge window anyone may force the contract to compute them from the
///         committed reports, and a wrong posting loses its bond. In an onchain task the contract computes the scores of
///         every round. Nobody has to be trusted with a score or with money; the requester can leave a member out of a
///         round, which is the power of whoever runs the server.
/// @dev Money is in exactly one of: the pool, a round's budget, a stake, a balance, a bond. Payments are pulled.
contract FederatedTask is IFederatedTask, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;

    bytes32 private constant DOMAIN_TYPEHASH =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
    bytes32 private constant JOIN_TYPEHASH =
        keccak256("Join(address participant,uint256 stake,uint64 samples,uint256 departures,uint256 deadline)");
    bytes32 private constant COMMIT_TYPEHASH =
        keccak256("Commit(address participant,uint32 round,bytes32 commitment)");
    uint256 private constant WAD = 1e18;
    /// @dev Keeps every later sum of scores far inside 256 bits.
    int256 private constant SCORE_BOUND = type(int128).max;
    /// @dev A round is paid in one transaction; this many fit into 16.7 million gas (EIP-7825).
    uint256 private constant MOST_MEMBERS = 400;
    /// @dev After this, a posted round that nobody could pay is given up, so that a broken schedule locks nothing.
    uint64 private constant ABANDONED_AFTER = 30 days;
    /// @dev Bytes of a calibration, 3 an item in the label scorers. Without a bound one could make the computation of
    ///      a false posting's scores too dear for any transaction.
    uint256 private constant LONGEST_CALIBRATION = 24_576;
    /// @dev Lowest bit of a submission: set once it is a revealed payload hash, clear while it is a commitment.
    bytes32 private constant REVEALED = bytes32(uint256(1));
    /// @dev Owns what slashes brought in and nobody earned, so that nobody gains by having others slashed.
    address private constant BURN = address(0xdEaD);

    IERC20 public immutable token;
    IScorer public immutable scorer;
    ISchedule public immutable schedule;
    address public immutable requester;
    bytes32 public immutable formula;
    address private immutable _admission; // here too, so that a task without one reads no slot for it
    address private immutable _randomness; // so too

    Settings private _settings;
    TaskStatus public status;
    uint32 public rounds; // promised so far
    uint32 public round; // the newest one opened, from 1
    uint32 public finalRounds; // rounds 1 … finalRounds are paid or void
    uint32 public activeMembers;
    uint96 public pool; // token units not yet in a round
    uint96 public forfeited; // token units from slashes, for the next round's pay
    uint32 public recordedRounds; // rounds 1 … recordedRounds are void or in the registry of reputations
    address private _terms; // pointer to the content address

    address[] private _members; // by position; the place of one that left goes to the next that joins
    uint32[] private _vacant; // positions
    mapping(address participant => uint256) public departures;
    mapping(uint256 word => uint256) private _active;
    mapping(address participant => Member) private _member;
    mapping(address owner => uint256) public balances;
    mapping(uint32 round => Round) private _rounds;
    mapping(uint32 round => mapping(uint256 word => uint256)) private _selection;
    /// @dev A commitment, or once revealed the payload hash; told apart by the lowest bit.
    mapping(uint32 round => mapping(address participant => bytes32)) private _submissions;
    mapping(uint32 round => mapping(address participant => address)) private _reports;

    modifier onlyRequester() {
        _checkRequester();
        _;
    }

    modifier whenTask(TaskStatus expected) {
        _checkTask(expected);
        _;
    }

    constructor(Settings memory s) {
        if (s.minimumMembers == 0) revert SettingTooSmall("minimumMembers", s.minimumMembers, 1);
        if (s.maximumMembers < s.minimumMembers) {
            revert SettingTooSmall("maximumMembers", s.maximumMembers, s.minimumMembers);
        }
        if (s.maximumMembers > MOST_MEMBERS) revert SettingTooLarge("maximumMembers", s.maximumMembers, MOST_MEMBERS);
        if (s.commitSeconds == 0) revert SettingTooSmall("commitSeconds", 0, 1);
        if (s.revealSeconds == 0) revert SettingTooSmall("revealSeconds", 0, 1);
        if (s.settleSeconds == 0) revert SettingTooSmall("settleSeconds", 0, 1);
        if (s.challengeSeconds == 0) revert SettingTooSmall("challengeSeconds", 0, 1);
        if (s.missingSlashBps > 10_000) revert SettingTooLarge("missingSlashBps", s.missingSlashBps, 10_000);
        token = IERC20(s.token);
        scorer = IScorer(s.scorer);
        schedule = ISchedule(s.schedule);
        requester = msg.sender;
        formula = IScorer(s.scorer).version();
        _admission = s.admission;
        _randomness = s.randomness;
        _settings = s;
    }

    /// @notice Fund the task and open it for joining.
    /// @param termsCid_ Content address of the task's terms: protocol, parameters, public set.
    /// @param rounds_ Number of rounds the pool is for; each gets an equal part of what is left.
    /// @param pool_ Token units, taken from the requester's allowance.
    function initializeTask(string calldata termsCid_, uint32 rounds_, uint96 pool_)
        external
        onlyRequester
        nonReentrant
        whenTask(TaskStatus.Created)
    {
        address reputation = _settings.reputation;
        if (reputation != address(0) && !IReputation(reputation).isRecorder(address(this))) {
            revert NotRecorder(address(this));
        }
        status = TaskStatus.Open;
        _terms = SSTORE2.write(bytes(termsCid_));
        _addRounds(rounds_, pool_);
        emit TaskInitialized(termsCid_, rounds_, pool_);
    }

    /// @notice Promise more rounds and add the money for them.
    function extendTask(uint32 rounds_, uint96 pool_) external onlyRequester nonReentrant {
        if (status != TaskStatus.Open) _checkTask(TaskStatus.Running);
        _addRounds(rounds_, pool_);
        emit TaskExtended(rounds_, pool_);
    }

    /// @notice Close the joining (unless late joining is allowed) and let the rounds begin.
    function startTask() external onlyRequester whenTask(TaskStatus.Open) {
        if (activeMembers < _settings.minimumMembers) revert TooFewMembers(activeMembers, _settings.minimumMembers);
        status = TaskStatus.Running;
        emit TaskStarted(activeMembers);
    }

    /// @notice End the task: stakes can be withdrawn, the rest of the pool goes back to the requester, and what is left
    ///         of slashes is burnt.
    /// @dev The requester may do so whenever no round is open; anyone may a settlement period after the last reveal
    ///      deadline of the promised rounds, or once the requester has been idle for longer than a round can take.
    function completeTask() external nonReentrant {
        if (status != TaskStatus.Open) _checkTask(TaskStatus.Running);
        if (finalRounds != round) revert RoundNotFinal(finalRounds + 1);
        if (msg.sender != requester) {
            if (round == 0) _checkRequester();
            uint64 openToAll = _rounds[round].revealDeadline + _settings.settleSeconds;
            if (round < rounds) openToAll += _settings.settleSeconds + 2 * uint64(_settings.challengeSeconds);
            _checkReached(openToAll);
        }
        status = TaskStatus.Completed;
        uint256 refunded = pool;
        pool = 0;
        balances[requester] += refunded;
        uint256 burnt = forfeited;
        forfeited = 0;
        balances[BURN] += burnt;
        emit TaskCompleted(refunded, burnt);
    }

    /// @notice Join with a stake from the caller's allowance.
    /// @param stake Token units, at least the minimum.
    /// @param samples Number of local samples, the upper bound of what the member may claim in a round.
    /// @param proof What the task's admission asks for; empty where everybody may join.
    function joinTask(uint96 stake, uint64 samples, bytes calldata proof) external nonReentrant {
        _join(msg.sender, stake, samples, proof);
    }

    /// @notice Join members that signed for it; anyone may relay. Those that are members already are passed over.
    function joinTaskFor(JoinRequest[] calldata requests) external nonReentrant {
        for (uint256 i; i < requests.length; ++i) {
            JoinRequest calldata request = requests[i];
            if (_member[request.participant].position != 0) continue;
            if (block.timestamp > request.deadline) revert SignatureExpired(request.participant, request.deadline);
            _verify(
                request.participant,
                keccak256(
                    abi.encode(
                        JOIN_TYPEHASH,
                        request.participant,
                        request.stake,
                        request.samples,
                        departures[request.participant],
                        request.deadline
                    )
                ),
                request.signature
            );
            // Somebody may have used the permit first; then the allowance is there already.
            try IERC20Permit(address(token)).permit(
                request.participant,
                address(this),
                request.stake,
                request.deadline,
                uint8(uint256(request.permit.vs) >> 255) + 27,
                request.permit.r,
                bytes32(uint256(request.permit.vs) & (type(uint256).max >> 1))
            ) {} catch {}
            _join(request.participant, request.stake, request.samples, request.proof);
        }
    }

    /// @notice Leave: the caller's stake, less slashes, becomes withdrawable. Its last round must be final; if it
    ///         committed there and did not reveal, it pays for that first.
    function removeWorker() external {
        Member storage member = _member[msg.sender];
        if (member.position == 0) revert NotMember(msg.sender);
        if (member.committedRound > finalRounds) revert RoundNotFinal(member.committedRound);
        if (status == TaskStatus.Running) _settleDebt(member.committedRound, msg.sender);
        uint256 index = member.position - 1;
        _deselect(member.committedRound, index);
        uint256 stake = member.stake;
        _vacant.push(member.position);
        ++departures[msg.sender];
        _active[index >> 8] &= ~(1 << (index & 255));
        --activeMembers;
        delete _member[msg.sender];
        balances[msg.sender] += stake;
        emit ParticipantLeft(msg.sender, stake);
    }

    /// @notice Open the next round for the selected members.
    /// @param selection Bitmap over the members' positions, 256 to a word; empty: all active members.
    /// @param calibration keccak256(abi.encode(items, salt)) of tasks whose right answer the requester knows and reveals
    ///        when nobody can change a report any more; 0: none.
    function nextRound(uint256[] calldata selection, bytes32 calibration)
        external
        onlyRequester
        whenTask(TaskStatus.Running)
    {
        if (round == rounds) revert RoundsExhausted(rounds);
        if (round > 0 && _rounds[round].status == RoundStatus.Open) {
            revert WrongRoundStatus(round, RoundStatus.Open, RoundStatus.Posted);
        }
        uint32 opened = ++round;
        uint256 selected = _select(opened, selection);
        if (selected == 0) revert TooFewMembers(0, 1);

        Round storage r = _rounds[opened];
        uint96 budget = pool / (rounds - opened + 1);
        pool -= budget;
        r.budget = budget;
        r.selected = uint32(selected);
        r.forfeits = forfeited;
        forfeited = 0;
        r.commitDeadline = uint64(block.timestamp) + _settings.commitSeconds;
        r.revealDeadline = r.commitDeadline + _settings.revealSeconds;
        r.settleDeadline = r.revealDeadline + _settings.settleSeconds;
        r.status = RoundStatus.Open;
        if (calibration != 0) r.calibration = calibration;
        emit RoundOpened(opened, budget, r.forfeits, selected, r.commitDeadline, r.revealDeadline, calibration);
    }

    /// @notice Commit to this round's contribution.
    /// @param commitment keccak256(abi.encode(chainId, task, round, participant, payloadHash, salt)).
    function commit(uint32 round_, bytes32 commitment) external {
        _commit(round_, msg.sender, commitment);
    }

    /// @notice Commit for members that signed for it; anyone may relay. Commitments that were made already are passed
    ///         over.
    function commitFor(uint32 round_, CommitRequest[] calldata requests) external {
        for (uint256 i; i < requests.length; ++i) {
            CommitRequest calldata request = requests[i];
            if (
                _member[request.participant].committedRound == round_
                    && _submissions[round_][request.participant] == request.commitment & ~REVEALED
            ) continue;
            _verify(
                request.participant,
                keccak256(abi.encode(COMMIT_TYPEHASH, request.participant, round_, request.commitment)),
                request.signature
            );
            _commit(round_, request.participant, request.commitment);
        }
    }

    /// @notice Open commitments, once no more can be made; those opened already are passed over.
    /// @dev The requester vouches with this that it has the reports: it is the one that posts, and has to publish them
    ///      when challenged. A member that it leaves out reveals by itself, in full, with `revealReport`.
    function reveal(uint32 round_, Reveal[] calldata reveals) external onlyRequester {
        Round storage r = _inRevealPhase(round_);
        uint32 count;
        bytes32 entropy = r.entropy;
        for (uint256 i; i < reveals.length; ++i) {
            if (!_reveal(round_, reveals[i])) continue;
            ++count;
            entropy ^= _share(reveals[i].participant, reveals[i].salt);
        }
        r.revealed += count;
        r.entropy = entropy;
    }

    /// @notice Open a commitment together with the whole report, so that everybody has it; whoever knows it may call.
    ///         In an onchain task the report is published with this.
    function revealReport(
        uint32 round_,
        address participant,
        bytes32 contentDigest,
        bytes calldata report,
        bytes32 salt
    ) external {
        Round storage r = _inRevealPhase(round_);
        if (!_reveal(round_, Reveal(participant, contentDigest, keccak256(report), salt))) return;
        ++r.revealed;
        r.entropy ^= _share(participant, salt);
        emit ReportRevealed(round_, participant, report);
        if (_settings.onchain) _publish(round_, r, participant, contentDigest, report);
    }

    /// @notice Slash members that committed and did not reveal; those that did not owe a reveal are passed over.
    /// @dev What they lose is paid with the round's budget, or with the next round's once this one is paid or void.
    ///      Nobody is slashed in a round in which no reveal came: then it is the relay that failed.
    function slashMissing(uint32 round_, address[] calldata participants) external {
        _checkTask(TaskStatus.Running);
        Round storage r = _rounds[round_];
        if (r.status == RoundStatus.None) revert WrongRound(round_, round);
        if (r.status == RoundStatus.Open) _checkRevealsClosed(round_, r);
        if (r.revealed == 0) revert NobodyRevealed(round_);
        bool intoRound = r.status < RoundStatus.Paid;
        uint96 total;
        for (uint256 i; i < participants.length; ++i) {
            if (_isMissing(round_, participants[i])) total += _slashMissing(round_, participants[i], intoRound);
        }
        if (intoRound) r.forfeits += total;
        else forfeited += total;
    }

    /// @notice Post the scores of all that revealed, against a bond from the caller's balance here or its allowance.
    /// @dev The first half of the settlement period is the requester's; then anyone may post. The requester has to
    ///      score with the calibration that it committed to; others, who may not know it, can do without.
    /// @param participants Ascending by address.
    /// @param scores WAD.
    /// @param qualities WAD, from 0 to 1.
    /// @param calibration Items as the scorer takes them; empty: none.
    /// @param salt Of the calibration's commitment.
    function postScores(
        uint32 round_,
        address[] memory participants,
        int256[] memory scores,
        uint256[] memory qualities,
        bytes calldata calibration,
        bytes32 salt
    ) external nonReentrant {
        if (_settings.onchain) revert WrongSettlement();
        Round storage r = _current(round_);
        uint64 openToAll = r.settleDeadline - _settings.settleSeconds / 2;
        if (block.timestamp <= openToAll) _checkRequester();
        _checkParticipants(round_, r, participants);
        _checkScores(participants, scores, qualities);
        _seed(round_); // there has to be one to score with
        if (calibration.length > 0 || salt != 0 || (r.calibration != 0 && msg.sender == requester)) {
            _openCalibration(round_, r, calibration, salt);
        }
        r.status = RoundStatus.Posted;
        r.poster = msg.sender;
        r.postingHash = _hash(participants, scores, qualities, calibration);
        r.settleDeadline = uint64(block.timestamp) + _settings.challengeSeconds;
        emit ScoresPosted(round_, msg.sender, participants, scores, qualities);
        _takeBond(msg.sender);
    }

    /// @notice Reveal the calibration of an onchain round; without it, the round is scored without.
    /// @param calibration Items as the scorer takes them.
    /// @param salt Of the commitment.
    function revealCalibration(uint32 round_, bytes calldata calibration, bytes32 salt) external onlyRequester {
        if (!_settings.onchain) revert WrongSettlement();
        (Round storage r, uint64 deadline) = _publishing(round_);
        _checkPublishing(round_, r, deadline);
        _openCalibration(round_, r, calibration, salt);
        r.postingHash = keccak256(calibration);
    }

    /// @notice Dispute a posting, against a bond from the caller's balance here or its allowance.
    /// @dev From here the reports have to be published on chain; those that are not by the deadline score 0 and are
    ///      nobody's peer. A poster publishes what its posting rests on.
    function challenge(uint32 round_) external nonReentrant {
        Round storage r = _inStatus(round_, RoundStatus.Posted);
        _checkNotPassed(r.settleDeadline);
        r.status = RoundStatus.Challenged;
        r.challenger = msg.sender;
        r.settleDeadline = uint64(block.timestamp) + _settings.challengeSeconds;
        emit PostingChallenged(round_, msg.sender);
        _takeBond(msg.sender);
    }

    /// @notice Put a revealed report on chain for a challenged round, or for any round of an onchain task; anyone may.
    /// @dev In an onchain task there is time for it until the middle of the settlement period.
    function publishReport(uint32 round_, address participant, bytes32 contentDigest, bytes calldata report) external {
        (Round storage r, uint64 deadline) = _publishing(round_);
        _checkPublishing(round_, r, deadline);
        if (_reports[round_][participant] != address(0)) revert AlreadyPublished(participant, round_);
        bytes32 payloadHash = _payloadHash(contentDigest, keccak256(report));
        if (_submissions[round_][participant] != payloadHash) {
            revert PayloadMismatch(participant, payloadHash, _submissions[round_][participant]);
        }
        _publish(round_, r, participant, contentDigest, report);
    }

    /// @notice Compute the scores of a challenged round, or of an onchain task's, from the published reports, in as many
    ///         steps as it takes; the last one pays, and gives both bonds to whoever was right. Anyone may call.
    /// @dev A step gives whoever goes on another challenge window before the round can be voided.
    /// @param participants As posted; onchain, all that revealed, ascending by address.
    /// @param scores As posted; onchain empty.
    /// @param qualities As posted; onchain empty.
    /// @param calibration As posted; onchain as revealed, empty where it was not.
    /// @param progress Of the last `ScoringProgressed`; empty to begin.
    /// @param work Labels to process at most.
    function computeScores(
        uint32 round_,
        address[] memory participants,
        int256[] memory scores,
        uint256[] memory qualities,
        bytes calldata calibration,
        bytes calldata progress,
        uint256 work
    ) external nonReentrant {
        Round storage r = _beginScoring(round_, participants, scores, qualities, calibration, progress);
        (bool done, bytes memory next, int256[] memory computed, uint256[] memory computedQualities) =
            _resume(round_, participants, calibration, progress, work);
        if (!done) {
            r.progress = keccak256(next);
            uint64 least = uint64(block.timestamp) + _settings.challengeSeconds;
            if (r.settleDeadline < least) r.settleDeadline = least;
            emit ScoringProgressed(round_, next);
            return;
        }
        if (r.status == RoundStatus.Challenged) {
            bool upheld = _hash(participants, computed, computedQualities, calibration) == r.postingHash;
            address winner = upheld ? r.poster : r.challenger;
            balances[winner] += 2 * uint256(_settings.bond);
            emit ChallengeResolved(round_, upheld, winner, computed);
        }
        _pay(round_, r, participants, computed, computedQualities);
    }

    /// @notice Pay a posted round whose challenge window is over; anyone may call.
    function distributeRewards(
        uint32 round_,
        address[] memory participants,
        int256[] memory scores,
        uint256[] memory qualities,
        bytes calldata calibration
    ) external nonReentrant {
        Round storage r = _inStatus(round_, RoundStatus.Posted);
        _checkHash(r, _hash(participants, scores, qualities, calibration));
        _checkReached(r.settleDeadline);
        balances[r.poster] += _settings.bond;
        _pay(round_, r, participants, scores, qualities);
    }

    /// @notice Put what a paid round's participants did into the registry of reputations; anyone may call.
    /// @dev Apart from paying, so that a registry can hold up no money. Rounds go in one after the other: were a later
    ///      one first, the registry would refuse the earlier, and whoever did badly in it would see to that.
    /// @param participants As paid.
    /// @param scores As paid.
    /// @param qualities As paid.
    /// @param count How many participants to record, after those that were recorded before.
    function recordReputation(
        uint32 round_,
        address[] memory participants,
        int256[] memory scores,
        uint256[] memory qualities,
        uint32 count
    ) external nonReentrant {
        if (_settings.reputation == address(0)) revert NoReputation();
        Round storage r = _inStatus(round_, RoundStatus.Paid);
        _checkHash(r, _hash(participants, scores, qualities));
        uint256 from = r.recorded;
        uint256 to = participants.length - from > count ? from + count : participants.length;
        if (from == to) revert AlreadyRecorded(round_, from);
        uint32 expected = recordedRounds + 1;
        while (_rounds[expected].status == RoundStatus.Void) {
            ++expected;
        }
        if (round_ != expected) revert WrongRound(round_, expected);
        r.recorded = uint32(to);
        if (to == participants.length) recordedRounds = round_;
        emit ReputationRecorded(round_, from, to);
        // Each list from there on, in place: its length goes where the element before was.
        assembly ("memory-safe") {
            let skipped := shl(5, from)
            let length := sub(to, from)
            participants := add(participants, skipped)
            mstore(participants, length)
            scores := add(scores, skipped)
            mstore(scores, length)
            qualities := add(qualities, skipped)
            mstore(qualities, length)
        }
        IReputation(_settings.reputation).record(round_, participants, scores, qualities);
    }

    /// @notice Give up a round that cannot be paid: nobody revealed, nobody posted or computed in time, a challenge was
    ///         never resolved, or the schedule has failed for 30 days. Its budget returns to the pool, the poster's bond to
    ///         the poster. A challenger that did not get its challenge resolved loses its bond to the next round, since
    ///         otherwise it could void every round for free. Anyone may call.
    function voidRound(uint32 round_) external {
        Round storage r = _rounds[round_];
        RoundStatus was = r.status;
        uint64 deadline = r.settleDeadline;
        if (was == RoundStatus.Open) {
            if (r.revealed > 0 || !_revealsClosed(r)) _checkReached(deadline);
        } else if (was == RoundStatus.Posted || was == RoundStatus.Challenged) {
            bool disputed = was == RoundStatus.Challenged;
            _checkReached(deadline + (disputed ? _settings.settleSeconds : ABANDONED_AFTER));
            balances[r.poster] += _settings.bond;
            if (disputed) forfeited += _settings.bond;
        } else {
            revert WrongRoundStatus(round_, was, RoundStatus.Open);
        }
        uint96 returned = r.budget;
        r.budget = 0;
        pool += returned;
        forfeited += r.forfeits;
        r.forfeits = 0;
        _close(r, RoundStatus.Void);
        emit RoundVoided(round_, returned);
    }

    /// @notice Send owners what is theirs: balances, and stakes once the task is completed. Anyone may call; the
    ///         money goes to its owner only.
    function withdraw(address[] calldata owners) external nonReentrant {
        for (uint256 i; i < owners.length; ++i) {
            address owner = owners[i];
            uint256 amount = balances[owner];
            balances[owner] = 0;
            if (status == TaskStatus.Completed) {
                amount += _member[owner].stake;
                _member[owner].stake = 0;
            }
            if (amount == 0) continue; // so that nobody can block a batch by withdrawing one owner of it first
            emit Withdrawn(owner, amount);
            token.safeTransfer(owner, amount);
        }
    }

    /// @notice The parameters fixed at deployment.
    function settings() external view returns (Settings memory) {
        return _settings;
    }

    /// @notice Content address of the task's terms.
    function termsCid() external view returns (string memory) {
        return status == TaskStatus.Created ? "" : string(SSTORE2.read(_terms));
    }

    /// @notice The members by position, and in vacant positions those that left.
    function members() external view returns (address[] memory) {
        return _members;
    }

    function memberOf(address participant) external view returns (Member memory) {
        return _member[participant];
    }

    function roundOf(uint32 round_) external view returns (Round memory) {
        return _rounds[round_];
    }

    /// @notice A participant's commitment in a round, its lowest bit cleared; after its reveal
    ///         keccak256(abi.encode(contentDigest, reportHash)), its lowest bit set.
    function submissionOf(uint32 round_, address participant) external view returns (bytes32) {
        return _submissions[round_][participant];
    }

    /// @notice What a round's random draws begin with: keccak256(abi.encode(chainId, task, round, entropy)), where the
    ///         entropy is keccak256(abi.encode(participant, salt)) of all that revealed, in exclusive or; with a source of
    ///         randomness also with its word, without which there is no seed.
    /// @dev Changes with every reveal and is final once these are over; nobody knows it before the last commitment. The
    ///      last to reveal can see what it would be without its own salt, and choose between the two at the price of a
    ///      missing reveal.
    function seedOf(uint32 round_) external view returns (bytes32) {
        return _seed(round_);
    }

    /// @notice The EIP-712 domain separator of this task.
    function domainSeparator() external view returns (bytes32) {
        return _domainSeparator();
    }

    function _addRounds(uint32 rounds_, uint96 pool_) private {
        if (rounds_ == 0) revert NoRounds();
        if (pool_ == 0) revert EmptyPool();
        rounds += rounds_;
        pool += pool_;
        _pull(msg.sender, pool_);
    }

    function _join(address participant, uint96 stake, uint64 samples, bytes calldata proof) private {
        if (status != TaskStatus.Running || !_settings.lateJoin) _checkTask(TaskStatus.Open);
        if (participant == requester) revert RequesterCannotJoin(requester);
        if (stake < _settings.minimumStake) revert StakeTooSmall(participant, stake, _settings.minimumStake);
        Member storage member = _member[participant];
        if (member.position != 0) revert AlreadyJoined(participant);
        if (activeMembers == _settings.maximumMembers) {
            revert TooManyMembers(uint256(activeMembers) + 1, _settings.maximumMembers);
        }
        address admission = _admission;
        if (admission != address(0)) {
            IAdmission(admission).check(address(this), participant, departures[participant], proof);
        }

        uint256 index = _seat(participant);
        _active[index >> 8] |= 1 << (index & 255);
        ++activeMembers;
        member.stake = stake;
        member.samples = samples;
        member.position = uint32(index + 1);
        emit ParticipantJoined(participant, stake, samples);
        _pull(participant, stake);
    }

    /// @dev Give a newcomer the newest vacant position, or a new one; returns its index, from 0.
    function _seat(address participant) private returns (uint256 index) {
        uint256 vacancies = _vacant.length;
        if (vacancies == 0) {
            index = _members.length;
            _members.push(participant);
        } else {
            index = _vacant[vacancies - 1] - 1;
            _vacant.pop();
            _members[index] = participant;
        }
    }

    function _select(uint32 round_, uint256[] calldata selection) private returns (uint256 selected) {
        uint256 words = (_members.length + 255) >> 8;
        if (selection.length > words) revert LengthMismatch(selection.length, words);
        for (uint256 w; w < words; ++w) {
            uint256 active = _active[w];
            uint256 chosen = selection.length == 0 ? active : w < selection.length ? selection[w] : 0;
            if (chosen & ~active != 0) revert NotActive(w, chosen & ~active);
            _selection[round_][w] = chosen;
            for (; chosen != 0; chosen &= chosen - 1) {
                ++selected;
            }
        }
    }

    function _commit(uint32 round_, address participant, bytes32 commitment) private {
        Round storage r = _current(round_);
        Member storage member = _member[participant];
        if (member.position == 0) revert NotMember(participant);
        uint256 index = member.position - 1;
        if (_selection[round_][index >> 8] & (1 << (index & 255)) == 0) revert NotSelected(participant, round_);
        if (member.committedRound == round_) revert AlreadyCommitted(participant, round_);
        _settleDebt(member.committedRound, participant);
        commitment &= ~REVEALED;
        if (commitment == 0) revert EmptyCommitment(participant);
        if (member.stake == 0 && _settings.minimumStake > 0) revert StakeTooSmall(participant, 0, 1);
        _checkNotPassed(r.commitDeadline);
        member.committedRound = round_;
        ++r.committed;
        _submissions[round_][participant] = commitment;
        emit Committed(round_, participant, commitment);
    }

    /// @dev Returns false for a commitment that is open already.
    function _reveal(uint32 round_, Reveal memory opened) private returns (bool) {
        Member storage member = _member[opened.participant];
        if (member.committedRound != round_) revert NotCommitted(opened.participant, round_);
        if (member.revealedRound == round_) return false;
        bytes32 payloadHash = keccak256(abi.encode(opened.contentDigest, opened.reportHash));
        bytes32 commitment = keccak256(
            abi.encode(block.chainid, address(this), round_, opened.participant, payloadHash, opened.salt)
        ) & ~REVEALED;
        bytes32 expected = _submissions[round_][opened.participant];
        if (commitment != expected) revert CommitmentMismatch(opened.participant, commitment, expected);
        member.revealedRound = round_;
        _submissions[round_][opened.participant] = payloadHash | REVEALED;
        emit Revealed(round_, opened.participant, opened.contentDigest, opened.reportHash, opened.salt);
        return true;
    }

    /// @dev What a revealed salt adds to a round's entropy, in whatever order the reveals come. The participant is inside,
    ///      so that nobody takes another's salt out again by using the same.
    function _share(address participant, bytes32 salt) private pure returns (bytes32) {
        return keccak256(abi.encode(participant, salt));
    }

    function _seed(uint32 round_) private view returns (bytes32) {
        bytes32 entropy = _rounds[round_].entropy;
        address randomness = _randomness;
        if (randomness != address(0)) entropy ^= IRandomness(randomness).wordOf(address(this), round_);
        return keccak256(abi.encode(block.chainid, address(this), round_, entropy));
    }

    /// @dev Whether a participant committed in a round and has not revealed, nor been slashed for it.
    function _isMissing(uint32 round_, address participant) private view returns (bool) {
        bytes32 submission = _submissions[round_][participant];
        return submission != 0 && submission & REVEALED == 0;
    }

    /// @dev Slash for a reveal that is still owed in the last round a member committed in, before it does anything else.
    function _settleDebt(uint32 round_, address participant) private {
        if (_isMissing(round_, participant) && _rounds[round_].revealed > 0) {
            forfeited += _slashMissing(round_, participant, false);
        }
    }

    /// @dev A member that leaves while it is selected and has not committed makes room for nobody in this round.
    function _deselect(uint32 committedRound, uint256 index) private {
        uint32 open = round;
        Round storage r = _rounds[open];
        uint256 bit = 1 << (index & 255);
        if (r.status != RoundStatus.Open || committedRound == open || _selection[open][index >> 8] & bit == 0) return;
        _selection[open][index >> 8] &= ~bit;
        --r.selected;
    }

    function _slashMissing(uint32 round_, address participant, bool intoRound) private returns (uint96 amount) {
        Member storage member = _member[participant];
        delete _submissions[round_][participant];
        amount = uint96(uint256(member.stake) * _settings.missingSlashBps / 10_000);
        member.stake -= amount;
        emit MissingRevealSlashed(round_, participant, amount, intoRound);
    }

    function _publish(
        uint32 round_,
        Round storage r,
        address participant,
        bytes32 contentDigest,
        bytes calldata report
    ) private {
        _reports[round_][participant] = SSTORE2.write(report);
        ++r.published;
        emit ReportPublished(round_, participant, contentDigest);
    }

    /// @dev Check that a calibration is the one that was committed to.
    function _openCalibration(uint32 round_, Round storage r, bytes calldata calibration, bytes32 salt) private {
        if (calibration.length > LONGEST_CALIBRATION) revert CalibrationTooLong(calibration.length, LONGEST_CALIBRATION);
        bytes32 hash = keccak256(abi.encode(calibration, salt));
        if (hash != r.calibration) revert CalibrationMismatch(hash, r.calibration);
        emit CalibrationRevealed(round_, calibration, salt);
    }

    /// @dev Check that a step of the computation may be made, and goes on where the last one ended.
    function _beginScoring(
        uint32 round_,
        address[] memory participants,
        int256[] memory scores,
        uint256[] memory qualities,
        bytes calldata calibration,
        bytes calldata progress
    ) private view returns (Round storage r) {
        uint64 deadline;
        (r, deadline) = _publishing(round_);
        bytes32 posting = r.postingHash;
        bool hidden;
        if (r.status == RoundStatus.Challenged) {
            _checkHash(r, _hash(participants, scores, qualities, calibration));
        } else {
            _checkParticipants(round_, r, participants);
            _checkLength(scores.length, 0);
            _checkLength(qualities.length, 0);
            bytes32 hash = calibration.length == 0 && posting == 0 ? bytes32(0) : keccak256(calibration);
            if (hash != posting) revert CalibrationMismatch(hash, posting);
            hidden = posting == 0 && r.calibration != 0;
        }
        bytes32 begun = r.progress;
        bytes32 progressHash = progress.length == 0 ? bytes32(0) : keccak256(progress);
        if (progressHash != begun) revert ProgressMismatch(progressHash, begun);
        if (begun != 0 || block.timestamp > deadline) return r;
        if (r.published < participants.length) {
            revert ReportsMissing(r.published, uint32(participants.length), deadline);
        }
        if (hidden) revert CalibrationMissing(round_, deadline);
    }

    /// @dev One step of the scorer, over the reports of `participants` in their order; one that was not published has
    ///      no pointer.
    function _resume(
        uint32 round_,
        address[] memory participants,
        bytes calldata calibration,
        bytes calldata progress,
        uint256 work
    ) private view returns (bool, bytes memory, int256[] memory, uint256[] memory) {
        uint256 n = participants.length;
        address[] memory reports = new address[](n);
        IScorer.Facts memory facts = IScorer.Facts(new uint64[](n), calibration, _seed(round_));
        for (uint256 i; i < n; ++i) {
            reports[i] = _reports[round_][participants[i]];
            facts.samples[i] = _member[participants[i]].samples;
        }
        return scorer.resume(reports, facts, progress, work);
    }

    /// @dev Pays, slashes and closes a round. What slashes bring in is paid with the budget. No more returns to the pool
    ///      than what the pay left of the budget; the rest of what nobody earned is for the next round.
    function _pay(
        uint32 round_,
        Round storage r,
        address[] memory participants,
        int256[] memory scores,
        uint256[] memory qualities
    ) private {
        (uint256[] memory slashed, uint256 totalSlashed) = _slashForScores(participants, scores);
        uint256 own = r.budget;
        uint256 budget = own + r.forfeits + totalSlashed;
        r.budget = 0;
        r.forfeits = 0;
        r.postingHash = _hash(participants, scores, qualities);
        uint256[] memory amounts = schedule.split(budget, scores);
        uint256 paid = _credit(round_, participants, scores, qualities, amounts, slashed);
        if (paid > budget) revert ScheduleOverspent(paid, budget);
        uint256 returned = own > paid ? own - paid : 0;
        pool += uint96(returned);
        forfeited += SafeCast.toUint96(budget - paid - returned);
        _close(r, RoundStatus.Paid);
        emit RoundPaid(round_, paid, totalSlashed, returned);
    }

    function _credit(
        uint32 round_,
        address[] memory participants,
        int256[] memory scores,
        uint256[] memory qualities,
        uint256[] memory amounts,
        uint256[] memory slashed
    ) private returns (uint256 paid) {
        for (uint256 i; i < participants.length; ++i) {
            address participant = participants[i];
            uint256 amount = amounts[i];
            if (amount > 0) balances[participant] += amount;
            paid += amount;
            bytes32 payloadHash = _submissions[round_][participant];
            emit Receipt(round_, participant, payloadHash, scores[i], amount, slashed[i], formula, qualities[i]);
        }
    }

    function _slashForScores(address[] memory participants, int256[] memory scores)
        private
        returns (uint256[] memory slashed, uint256 total)
    {
        slashed = new uint256[](participants.length);
        for (uint256 i; i < participants.length; ++i) {
            slashed[i] = _slashForScore(participants[i], scores[i]);
            total += slashed[i];
        }
    }

    function _slashForScore(address participant, int256 score) private returns (uint256 amount) {
        if (score >= 0 || uint256(-score) < _settings.slashFloor) return 0;
        Member storage member = _member[participant];
        amount = uint256(-score) * _settings.slashPerScore / WAD;
        if (amount > member.stake) amount = member.stake;
        member.stake -= uint96(amount);
    }

    /// @dev A round is final once it is paid or void; the count moves over all that are so in a row.
    function _close(Round storage r, RoundStatus closed) private {
        r.status = closed;
        uint32 through = finalRounds;
        while (through < round && _rounds[through + 1].status >= RoundStatus.Paid) {
            ++through;
        }
        finalRounds = through;
    }

    /// @dev From what the contract owes the account already, else from its allowance.
    function _takeBond(address from) private {
        uint256 bond = _settings.bond;
        if (balances[from] >= bond) {
            balances[from] -= bond;
        } else {
            emit BondDeposited(from, bond);
            _pull(from, bond);
        }
    }

    function _pull(address from, uint256 amount) private {
        if (amount == 0) return;
        uint256 before = token.balanceOf(address(this));
        token.safeTransferFrom(from, address(this), amount);
        uint256 received = token.balanceOf(address(this)) - before;
        if (received != amount) revert TokenShortfall(received, amount);
    }

    function _verify(address participant, bytes32 structHash, Signature calldata signature) private view {
        bytes32 hash = MessageHashUtils.toTypedDataHash(_domainSeparator(), structHash);
        (address recovered,,) = ECDSA.tryRecover(hash, signature.r, signature.vs);
        if (recovered != participant || recovered == address(0)) revert InvalidSignature(participant, recovered);
    }

    function _domainSeparator() private view returns (bytes32) {
        return keccak256(
            abi.encode(DOMAIN_TYPEHASH, keccak256("FederatedTask"), keccak256("1"), block.chainid, address(this))
        );
    }

    function _checkRequester() private view {
        if (msg.sender != requester) revert NotRequester(msg.sender, requester);
    }

    function _checkTask(TaskStatus expected) private view {
        if (status != expected) revert WrongTaskStatus(status, expected);
    }

    function _checkReached(uint64 deadline) private view {
        if (block.timestamp <= deadline) revert DeadlineNotReached(deadline);
    }

    function _checkNotPassed(uint64 deadline) private view {
        if (block.timestamp > deadline) revert DeadlinePassed(deadline);
    }

    function _checkLength(uint256 length, uint256 expected) private pure {
        if (length != expected) revert LengthMismatch(length, expected);
    }

    function _checkRevealsClosed(uint32 round_, Round storage r) private view {
        if (!_revealsClosed(r)) revert RevealPhaseOpen(round_, r.revealDeadline);
    }

    function _current(uint32 round_) private view returns (Round storage r) {
        if (round_ != round || round_ == 0) revert WrongRound(round_, round);
        r = _inStatus(round_, RoundStatus.Open);
    }

    function _inStatus(uint32 round_, RoundStatus expected) private view returns (Round storage r) {
        r = _rounds[round_];
        if (r.status != expected) revert WrongRoundStatus(round_, r.status, expected);
    }

    /// @dev The round, in which commitments can be opened now.
    function _inRevealPhase(uint32 round_) private view returns (Round storage r) {
        r = _current(round_);
        if (!_commitsClosed(r)) revert CommitPhaseOpen(round_, r.commitDeadline);
        if (block.timestamp > r.revealDeadline) revert RevealPhaseClosed(round_, r.revealDeadline);
    }

    function _payloadHash(bytes32 contentDigest, bytes32 reportHash) private pure returns (bytes32) {
        return keccak256(abi.encode(contentDigest, reportHash)) | REVEALED;
    }

    /// @dev The round in which reports can be published and scored, and the end of publishing.
    function _publishing(uint32 round_) private view returns (Round storage r, uint64 deadline) {
        if (!_settings.onchain) {
            r = _inStatus(round_, RoundStatus.Challenged);
            return (r, r.settleDeadline);
        }
        r = _current(round_);
        _checkRevealsClosed(round_, r);
        deadline = r.revealDeadline + _settings.settleSeconds / 2;
    }

    function _checkPublishing(uint32 round_, Round storage r, uint64 deadline) private view {
        if (r.progress != 0) revert ScoringBegun(round_);
        _checkNotPassed(deadline);
    }

    /// @dev Those that revealed, all of them, in ascending order.
    function _checkParticipants(uint32 round_, Round storage r, address[] memory participants) private view {
        _checkRevealsClosed(round_, r);
        if (r.revealed == 0) revert NobodyRevealed(round_);
        _checkLength(participants.length, r.revealed);
        address previous;
        for (uint256 i; i < participants.length; ++i) {
            address participant = participants[i];
            if (participant <= previous) revert ParticipantsNotAscending(previous, participant);
            if (_member[participant].revealedRound != round_) revert NotRevealed(participant, round_);
            previous = participant;
        }
    }

    function _checkScores(
        address[] memory participants,
        int256[] memory scores,
        uint256[] memory qualities
    ) private pure {
        _checkLength(scores.length, participants.length);
        _checkLength(qualities.length, participants.length);
        for (uint256 i; i < participants.length; ++i) {
            if (scores[i] > SCORE_BOUND || scores[i] < -SCORE_BOUND) revert ScoreOutOfBounds(participants[i], scores[i]);
            if (qualities[i] > WAD) revert QualityOutOfBounds(participants[i], qualities[i]);
        }
    }

    /// @dev Of a posting.
    function _hash(
        address[] memory participants,
        int256[] memory scores,
        uint256[] memory qualities,
        bytes calldata calibration
    ) private pure returns (bytes32) {
        return keccak256(abi.encode(participants, scores, qualities, calibration));
    }

    /// @dev Of what was paid for.
    function _hash(address[] memory participants, int256[] memory scores, uint256[] memory qualities)
        private
        pure
        returns (bytes32)
    {
        return keccak256(abi.encode(participants, scores, qualities));
    }

    function _checkHash(Round storage r, bytes32 hash) private view {
        if (hash != r.postingHash) revert PostingMismatch(hash, r.postingHash);
    }

    function _commitsClosed(Round storage r) private view returns (bool) {
        return block.timestamp > r.commitDeadline || r.committed == r.selected;
    }

    function _revealsClosed(Round storage r) private view returns (bool) {
        return _commitsClosed(r) && (block.timestamp > r.revealDeadline || r.revealed == r.committed);
    }
}
