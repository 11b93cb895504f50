// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {SSTORE2} from "solady/src/utils/SSTORE2.sol";

import {IAdmission} from "./interfaces/IAdmission.sol";
import {IReputation} from "./interfaces/IReputation.sol";
import {ISchedule} from "./interfaces/ISchedule.sol";
import {IScorer} from "./interfaces/IScorer.sol";
import {Draws} from "./libraries/Draws.sol";
import {Settlement} from "./task/Settlement.sol";
import {TaskState} from "./task/TaskState.sol";

/// @title One federated learning task: its members, its rounds and its money.
/// @notice In every round the members commit to what they contribute, reveal it, are scored and are paid. Scores are
///         posted against a bond; within the challenge window anyone may force the contract to compute them from the
///         committed reports, and a wrong posting loses its bond. In an onchain task the contract computes the scores of
///         every round. Nobody has to be trusted with a score or with money; the requester can leave a member out of a
///         round, which is the power of whoever runs the server.
/// @dev Money is in exactly one of: the pool, a round's budget, a stake, a balance, a bond. Payments are pulled.
contract FederatedTask is TaskState {
    using SafeERC20 for IERC20;

    bytes32 private constant JOIN_TYPEHASH =
        keccak256("Join(address participant,uint256 stake,uint64 samples,uint256 departures,uint256 deadline)");
    bytes32 private constant COMMIT_TYPEHASH =
        keccak256("Commit(address participant,uint32 round,bytes32 commitment)");
    /// @dev A round is paid in one transaction; this many fit into 16.7 million gas (EIP-7825).
    uint256 private constant MOST_MEMBERS = 400;
    /// @dev Owns what slashes brought in and nobody earned, so that nobody gains by having others slashed.
    address private constant BURN = address(0xdEaD);

    /// @dev A round needs one of each role.
    uint256 private constant FEWEST_WITH_ROLES = 3;

    address private immutable _settlement;

    constructor(Settings memory s) TaskState(_fixed(s)) {
        _atLeast("minimumMembers", s.minimumMembers, 1);
        _atLeast("maximumMembers", s.maximumMembers, s.minimumMembers);
        _atMost("maximumMembers", s.maximumMembers, MOST_MEMBERS);
        _atLeast("commitSeconds", s.commitSeconds, 1);
        _atLeast("revealSeconds", s.revealSeconds, 1);
        _atLeast("settleSeconds", s.settleSeconds, 1);
        _atLeast("challengeSeconds", s.challengeSeconds, 1);
        _atMost("missingSlashBps", s.missingSlashBps, 10_000);
        bool roles = s.validators != 0 || s.miners != 0;
        if (roles) {
            if (s.workers == 0 || s.validators == 0 || s.miners == 0) {
                revert RolesIncomplete(s.workers, s.validators, s.miners);
            }
            _atLeast("assessSeconds", s.assessSeconds, 1);
            _atLeast("sealSeconds", s.sealSeconds, 1);
        } else {
            _atMost("sealSeconds", s.sealSeconds, 0); // nobody attests
        }
        _settings = s;
        _settlement = address(new Settlement(Fixed(token, scorer, schedule, _admission, _randomness, requester, formula)));
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
            _checkReached(
                round < rounds ? _idleDeadline() : _sealDeadline(_rounds[round]) + _settings.settleSeconds
            );
        }
        status = TaskStatus.Completed;
        uint256 refunded = pool;
        pool = 0;
        _balances[requester] += refunded;
        uint256 burnt = forfeited;
        forfeited = 0;
        _balances[BURN] += burnt;
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
                        _member[request.participant].departures,
                        request.deadline
                    )
                ),
                request.signature
            );
            // Somebody may have used the permit first; then the allowance is there already.
            if (request.stake != 0) try IERC20Permit(address(token)).permit(
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
        uint32 last = member.committedRound;
        if (member.assessedRound > last) last = member.assessedRound;
        if (member.attestedRound > last) last = member.attestedRound;
        if (last > finalRounds) revert RoundNotFinal(last);
        if (status == TaskStatus.Running) _settleDebt(member.committedRound, msg.sender);
        uint256 index = member.position - 1;
        _deselect(index);
        (uint256 stake, uint256 earned) = (member.stake, member.earned);
        _vacant.push(member.position);
        if (_active[index >> 8] & (1 << (index & 255)) != 0) {
            _active[index >> 8] &= ~(1 << (index & 255));
            --activeMembers;
        }
        uint32 left = member.departures + 1;
        delete _member[msg.sender];
        member.departures = left;
        _balances[msg.sender] += stake + earned;
        emit ParticipantLeft(msg.sender, stake);
    }

    /// @notice Open the next round for the selected members. Where members have roles, these are drawn among all active
    ///         ones, from the seed of the round before, so that whoever selects can leave out, and not assign.
    /// @dev Anyone may open it, for all active members and without a calibration, once the requester has been idle for
    ///      longer than a round can take.
    /// @param selection Bitmap over the members' positions, 256 to a word; empty: all active members.
    /// @param calibration keccak256(abi.encode(items, salt)) of tasks whose right answer the requester knows and reveals
    ///        when nobody can change a report any more; 0: none.
    function nextRound(uint256[] calldata selection, bytes32 calibration)
        external
    {
        if (msg.sender != requester) {
            if (round == 0 || selection.length != 0 || calibration != 0) _checkRequester();
            _checkReached(_idleDeadline());
        }
        _checkTask(TaskStatus.Running);
        if (round == rounds) revert RoundsExhausted(rounds);
        if (round > 0 && _rounds[round].status == RoundStatus.Open) {
            revert WrongRoundStatus(round, RoundStatus.Open, RoundStatus.Posted);
        }
        uint32 opened = ++round;
        Round storage r = _rounds[opened];
        if (_hasRoles()) _drawRoles(opened);
        _select(opened, r, selection);

        uint96 budget = pool / (rounds - opened + 1);
        pool -= budget;
        r.budget = budget;
        r.forfeits = forfeited;
        forfeited = 0;
        r.commitDeadline = uint64(block.timestamp) + _settings.commitSeconds;
        r.revealDeadline = r.commitDeadline + _settings.revealSeconds;
        r.settleDeadline = _sealDeadline(r) + _settings.settleSeconds;
        r.status = RoundStatus.Open;
        r.lane = _takeLane(opened);
        if (calibration != 0) r.calibration = calibration;
        emit RoundOpened(opened, budget, r.forfeits, r.selected, r.commitDeadline, r.revealDeadline, calibration);
    }

    /// @notice Commit to this round's contribution.
    /// @param commitment keccak256(abi.encode(chainId, task, round, participant, payloadHash, salt)).
    function commit(uint32 round_, bytes32 commitment) external {
        Round storage r = _current(round_);
        _commit(round_, r, _hasRoles(), msg.sender, commitment);
        ++r.committed;
    }

    /// @notice Commit for members that signed for it; anyone may relay. Commitments that were made already are passed
    ///         over.
    function commitFor(uint32 round_, CommitRequest[] calldata requests) external {
        Round storage r = _current(round_);
        bytes32 domain = _domainSeparator();
        bool roles = _hasRoles();
        uint32 count;
        for (uint256 i; i < requests.length; ++i) {
            CommitRequest calldata request = requests[i];
            if (
                _member[request.participant].committedRound == round_
                    && _commitments[r.lane][request.participant] == request.commitment
            ) continue;
            _verify(
                domain,
                request.participant,
                keccak256(abi.encode(COMMIT_TYPEHASH, request.participant, round_, request.commitment)),
                request.signature
            );
            _commit(round_, r, roles, request.participant, request.commitment);
            ++count;
        }
        r.committed += count;
    }

    /// @notice Open commitments, once no more can be made; those opened already are passed over.
    /// @dev The requester vouches with this that it has the reports: it is the one that posts, and has to publish them
    ///      when challenged. A member that it leaves out reveals by itself, in full, with `revealReport`.
    function reveal(uint32 round_, Reveal[] calldata reveals) external onlyRequester {
        Round storage r = _inRevealPhase(round_);
        uint32 count;
        bytes32 entropy = r.entropy;
        for (uint256 i; i < reveals.length; ++i) {
            if (!_reveal(round_, r.lane, reveals[i])) continue;
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
        if (!_reveal(round_, r.lane, Reveal(participant, contentDigest, keccak256(report), salt))) return;
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

    /// @notice See `Assessment`.
    function submitScore(uint32, address[] calldata, uint256[] calldata) external {
        _run();
    }

    /// @notice See `Assessment`.
    function submitScoreFor(uint32, ScoreRequest[] calldata) external {
        _run();
    }

    /// @notice See `Assessment`.
    function getSubmissions() external returns (Submission[] memory) {
        _run();
    }

    /// @notice See `Assessment`.
    function attest(uint32, bytes32) external {
        _run();
    }

    /// @notice See `Assessment`.
    function attestFor(uint32, SealRequest[] calldata) external {
        _run();
    }

    /// @notice See `Assessment`.
    function proveEquivocation(
        uint32,
        address,
        Statement,
        bytes calldata,
        Signature calldata,
        bytes calldata,
        Signature calldata
    ) external {
        _run();
    }

    /// @notice See `Settlement`.
    function submitRoundTopK(uint32, address[] calldata, uint256) external {
        _run();
    }

    /// @notice See `Settlement`.
    function postScores(
        uint32,
        address[] calldata,
        int256[] calldata,
        uint256[] calldata,
        bytes calldata,
        bytes32
    ) external {
        _run();
    }

    /// @notice See `Settlement`.
    function revealCalibration(uint32, bytes calldata, bytes32) external {
        _run();
    }

    /// @notice See `Settlement`.
    function challenge(uint32) external {
        _run();
    }

    /// @notice See `Settlement`.
    function publishReport(uint32, address, bytes32, bytes calldata, bytes32) external {
        _run();
    }

    /// @notice See `Settlement`.
    function computeScores(
        uint32,
        address[] calldata,
        int256[] calldata,
        uint256[] calldata,
        bytes calldata,
        bytes calldata,
        uint256
    ) external {
        _run();
    }

    /// @notice See `Settlement`.
    function distributeRewards(
        uint32,
        address[] calldata,
        int256[] calldata,
        uint256[] calldata,
        bytes calldata
    ) external {
        _run();
    }

    /// @notice See `Settlement`.
    function recordReputation(uint32, address[] calldata, int256[] calldata, uint256[] calldata, uint32) external {
        _run();
    }

    /// @notice See `Settlement`.
    function voidRound(uint32) external {
        _run();
    }

    /// @notice Send owners what is theirs: balances, and stakes once the task is completed. Anyone may call; the
    ///         money goes to its owner only.
    function withdraw(address[] calldata owners) external nonReentrant {
        for (uint256 i; i < owners.length; ++i) {
            address owner = owners[i];
            uint256 amount = balances(owner);
            _balances[owner] = 0;
            _member[owner].earned = 0;
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

    /// @notice Whether a participant has opened its commitment in a round, the last that it committed in.
    function hasRevealed(uint32 round_, address participant) external view returns (bool) {
        return _hasRevealed(round_, _member[participant]);
    }

    /// @notice How often a participant has left.
    function departures(address participant) external view returns (uint256) {
        return _member[participant].departures;
    }

    /// @notice What an owner can withdraw, besides the stake of a completed task.
    function balances(address owner) public view returns (uint256) {
        return _balances[owner] + _member[owner].earned;
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

    /// @notice Who would do what in the next round, were it opened now; of a round that was opened, `RolesDrawn` tells.
    /// @return order The active members as drawn: the workers, then the validators, then the miners.
    function nextRoles() external view returns (address[] memory order, uint256 workers, uint256 validators) {
        (order,, workers, validators) = _drawn(round + 1);
    }

    /// @notice The EIP-712 domain separator of this task.
    function domainSeparator() external view returns (bytes32) {
        return _domainSeparator();
    }

    function _fixed(Settings memory s) private view returns (Fixed memory) {
        IScorer scores = IScorer(s.scorer);
        return Fixed(
            IERC20(s.token), scores, ISchedule(s.schedule), s.admission, s.randomness, msg.sender, scores.version()
        );
    }

    function _atLeast(string memory name, uint256 value, uint256 minimum) private pure {
        if (value < minimum) revert SettingTooSmall(name, value, minimum);
    }

    function _atMost(string memory name, uint256 value, uint256 maximum) private pure {
        if (value > maximum) revert SettingTooLarge(name, value, maximum);
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
            IAdmission(admission).check(address(this), participant, member.departures, proof);
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

    function _select(uint32 round_, Round storage r, uint256[] calldata selection) private {
        uint256 words = (_members.length + 255) >> 8;
        if (selection.length > words) revert LengthMismatch(selection.length, words);
        bool roles = _hasRoles();
        uint32 workers;
        uint32 validators;
        uint32 miners;
        for (uint256 w; w < words; ++w) {
            uint256 active = _active[w];
            uint256 chosen = selection.length == 0 ? active : w < selection.length ? selection[w] : 0;
            if (chosen & ~active != 0) revert NotActive(w, chosen & ~active);
            _selection[round_][w] = chosen;
            uint256 apart;
            if (roles) {
                uint256 judging = _validators[round_][w];
                uint256 attesting = _miners[round_][w];
                validators += _count(chosen & judging);
                miners += _count(chosen & attesting);
                apart = judging | attesting;
            }
            workers += _count(chosen & ~apart);
        }
        if (!roles) {
            if (workers == 0) revert TooFewMembers(0, 1);
        } else {
            if (workers == 0) revert RoleEmpty(round_, Role.Worker);
            if (validators == 0) revert RoleEmpty(round_, Role.Validator);
            if (miners == 0) revert RoleEmpty(round_, Role.Miner);
            r.validators = validators;
            r.miners = miners;
        }
        r.selected = workers;
    }

    /// @dev The first lane in which no round is that is not closed.
    function _takeLane(uint32 round_) private returns (uint32 lane) {
        uint256 taken = _lanes;
        while (lane < LANES && taken & 1 << lane != 0) {
            ++lane;
        }
        if (lane == LANES) return LANES + round_;
        _lanes = uint128(taken | 1 << lane);
    }

    function _count(uint256 bitmap) private pure returns (uint32 bits) {
        for (; bitmap != 0; bitmap &= bitmap - 1) {
            ++bits;
        }
    }

    /// @dev Give every active member a role in a round that is being opened.
    function _drawRoles(uint32 round_) private {
        (address[] memory order, uint256[] memory positions, uint256 workers, uint256 validators) = _drawn(round_);
        for (uint256 k = workers; k < order.length; ++k) {
            uint256 index = positions[k];
            if (k < workers + validators) _validators[round_][index >> 8] |= 1 << (index & 255);
            else _miners[round_][index >> 8] |= 1 << (index & 255);
        }
        emit RolesDrawn(round_, order, workers, validators);
    }

    /// @dev The active members in the order that the seed of the round before gives them: workers, validators, miners. A
    ///      round that is void may never have got its random word, and is taken without.
    function _drawn(uint32 round_)
        private
        view
        returns (address[] memory order, uint256[] memory indices, uint256 workers, uint256 validators)
    {
        uint256 n = activeMembers;
        if (n < FEWEST_WITH_ROLES) revert TooFewForRoles(n, FEWEST_WITH_ROLES);
        uint256[] memory active = new uint256[](n);
        uint256 found;
        for (uint256 index; found < n; ++index) {
            if (_active[index >> 8] & (1 << (index & 255)) != 0) active[found++] = index;
        }
        uint32 before = round_ - 1;
        bool worded = before != 0 && _rounds[before].status != RoundStatus.Void;
        uint256 key = Draws.keyOf(worded ? _seed(before) : _seedOf(before, _rounds[before].entropy));
        uint256[] memory shuffled = Draws.order(Draws.draw(key, 0), n);
        (order, indices) = (new address[](n), new uint256[](n));
        for (uint256 k; k < n; ++k) {
            indices[k] = active[shuffled[k]];
            order[k] = _members[indices[k]];
        }
        uint256 sum = uint256(_settings.workers) + _settings.validators + _settings.miners;
        uint256 miners = n * _settings.miners / sum;
        if (miners == 0) miners = 1;
        validators = n * _settings.validators / sum;
        if (validators == 0) validators = 1;
        workers = n - validators - miners;
    }

    /// @dev The caller counts it.
    function _commit(uint32 round_, Round storage r, bool roles, address participant, bytes32 commitment) private {
        Member storage member = _member[participant];
        if (member.position == 0) revert NotMember(participant);
        uint256 index = member.position - 1;
        if (!_isSelected(round_, index)) revert NotSelected(participant, round_);
        if (roles && _roleOf(round_, index) != Role.Worker) revert NotSelected(participant, round_);
        if (member.committedRound == round_) revert AlreadyCommitted(participant, round_);
        _settleDebt(member.committedRound, participant);
        if (commitment == 0) revert EmptyCommitment(participant);
        if (member.stake == 0 && _settings.minimumStake > 0) revert StakeTooSmall(participant, 0, 1);
        _checkNotPassed(r.commitDeadline);
        member.committedRound = round_;
        _commitments[r.lane][participant] = commitment;
        emit Committed(round_, participant, commitment);
    }

    /// @dev Returns false for a commitment that is open already.
    function _reveal(uint32 round_, uint32 lane, Reveal memory opened) private returns (bool) {
        Member storage member = _member[opened.participant];
        if (member.committedRound != round_) revert NotCommitted(opened.participant, round_);
        uint256 index = member.position - 1;
        uint256 bit = 1 << (index & 255);
        uint256 word = _selection[round_][index >> 8];
        if (word & bit == 0) return false;
        _checkOpens(round_, lane, opened.participant, opened.contentDigest, opened.reportHash, opened.salt);
        _selection[round_][index >> 8] = word ^ bit;
        emit Revealed(round_, opened.participant, opened.contentDigest, opened.reportHash, opened.salt);
        return true;
    }

    /// @dev What a revealed salt adds to a round's entropy, in whatever order the reveals come. The participant is inside,
    ///      so that nobody takes another's salt out again by using the same.
    function _share(address participant, bytes32 salt) private pure returns (bytes32) {
        return keccak256(abi.encode(participant, salt));
    }

    /// @dev Whether a participant committed in a round and has not revealed, nor been slashed for it.
    function _isMissing(uint32 round_, address participant) private view returns (bool) {
        Member storage member = _member[participant];
        return member.committedRound == round_ && round_ != 0 && _isSelected(round_, member.position - 1)
            && member.slashedRound != round_;
    }

    /// @dev Slash for a reveal that is still owed in the last round a member committed in, before it does anything else.
    function _settleDebt(uint32 round_, address participant) private {
        if (_isMissing(round_, participant) && _rounds[round_].revealed > 0) {
            forfeited += _slashMissing(round_, participant, false);
        }
    }

    /// @dev A member that leaves while it is selected, and has done nothing yet, makes room for nobody in this round.
    function _deselect(uint256 index) private {
        uint32 open = round;
        Round storage r = _rounds[open];
        if (r.status != RoundStatus.Open || !_isSelected(open, index)) return;
        _selection[open][index >> 8] &= ~(1 << (index & 255));
        Role role = _hasRoles() ? _roleOf(open, index) : Role.Worker;
        if (role == Role.Worker) --r.selected;
        else if (role == Role.Validator) --r.validators;
        else --r.miners;
    }

    /// @dev When the newest round's requester has been idle for longer than a round can take.
    function _idleDeadline() private view returns (uint64) {
        return _sealDeadline(_rounds[round]) + 2 * (uint64(_settings.settleSeconds) + _settings.challengeSeconds);
    }

    function _slashMissing(uint32 round_, address participant, bool intoRound) private returns (uint96 amount) {
        Member storage member = _member[participant];
        member.slashedRound = round_;
        amount = uint96(uint256(member.stake) * _settings.missingSlashBps / 10_000);
        member.stake -= amount;
        emit MissingRevealSlashed(round_, participant, amount, intoRound);
    }

    /// @dev The round, in which commitments can be opened now.
    function _inRevealPhase(uint32 round_) private view returns (Round storage r) {
        r = _current(round_);
        if (!_commitsClosed(r)) revert CommitPhaseOpen(round_, r.commitDeadline);
        if (block.timestamp > r.revealDeadline) revert RevealPhaseClosed(round_, r.revealDeadline);
    }

    /// @dev Run the call that came in, as it is, by the part's code.
    function _run() private {
        address part = _settlement;
        assembly ("memory-safe") {
            let data := mload(0x40)
            calldatacopy(data, 0, calldatasize())
            let success := delegatecall(gas(), part, data, calldatasize(), 0, 0)
            returndatacopy(data, 0, returndatasize())
            if iszero(success) { revert(data, returndatasize()) }
            return(data, returndatasize())
        }
    }
}
