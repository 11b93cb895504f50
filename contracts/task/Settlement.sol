// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

import {IReputation} from "../interfaces/IReputation.sol";
import {ISchedule} from "../interfaces/ISchedule.sol";
import {IScorer} from "../interfaces/IScorer.sol";
import {Assessment} from "./Assessment.sol";
import {TaskState} from "./TaskState.sol";

/// @title What happens to a round once its reports are revealed: posting, disputes, computing, pay.
/// @dev A part of `FederatedTask`, which creates it and calls it in its own place. On its own it holds no money, knows no
///      round and refuses everything.
contract Settlement is Assessment {
    /// @dev Keeps every later sum of scores far inside 256 bits.
    int256 private constant SCORE_BOUND = type(int128).max;
    /// @dev After this, a posted round that nobody could pay is given up, so that a broken schedule locks nothing.
    uint64 private constant ABANDONED_AFTER = 30 days;
    /// @dev Bytes of a calibration, 3 an item in the label scorers. Without a bound one could make the computation of
    ///      a false posting's scores too dear for any transaction.
    uint256 private constant LONGEST_CALIBRATION = 24_576;

    /// @dev What a round's participants get and why.
    struct Pay {
        address[] participants;
        int256[] scores;
        uint256[] qualities;
        uint8[] roles;
        uint256[] amounts;
        uint256[] slashed;
    }

    constructor(Fixed memory f) TaskState(f) {}

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
        _post(round_, r, participants, scores, qualities, calibration, msg.sender);
        r.poster = msg.sender;
        r.settleDeadline = uint64(block.timestamp) + _settings.challengeSeconds;
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
    ///      Whoever committed and did not reveal has no part in the round, whatever it publishes.
    function publishReport(
        uint32 round_,
        address participant,
        bytes32 contentDigest,
        bytes calldata report,
        bytes32 salt
    ) external {
        (Round storage r, uint64 deadline) = _publishing(round_);
        _checkPublishing(round_, r, deadline);
        if (_reports[round_][participant] != address(0)) revert AlreadyPublished(participant, round_);
        uint256 position = _member[participant].position;
        if (position == 0 || _isSelected(round_, position - 1)) revert NotRevealed(participant, round_);
        _checkOpens(round_, r.lane, participant, contentDigest, keccak256(report), salt);
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
            _balances[winner] += 2 * uint256(_settings.bond);
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
        if (r.poster != address(0)) _balances[r.poster] += _settings.bond;
        _pay(round_, r, participants, scores, qualities);
    }

    /// @notice Compute the scores of an onchain round from what was published and submitted, and leave them to
    ///         `distributeRewards`; anyone may call.
    /// @dev In one transaction, without a calibration; `computeScores` does both in as many as it takes.
    /// @param participants All that took part, ascending by address.
    /// @param k How many of the best to name in the event. It has no bearing on what anybody is paid.
    function submitRoundTopK(uint32 round_, address[] memory participants, uint256 k) external nonReentrant {
        if (!_settings.onchain) revert WrongSettlement();
        bytes calldata nothing = msg.data[:0];
        Round storage r =
            _beginScoring(round_, participants, new int256[](0), new uint256[](0), nothing, nothing);
        if (r.calibration != 0) revert CalibrationNeeded(round_);
        (,, int256[] memory scores, uint256[] memory qualities) =
            _resume(round_, participants, nothing, nothing, type(uint256).max);
        _post(round_, r, participants, scores, qualities, nothing, address(0));
        r.settleDeadline = uint64(block.timestamp) - 1; // what the contract computed can be paid at once
        _emitTop(round_, k, participants, scores);
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

    /// @notice Give up a round that cannot be paid: nobody revealed, it was not sealed, nobody posted or computed in time, a challenge was
    ///         never resolved, or the schedule has failed for 30 days. Its budget returns to the pool, the poster's bond to
    ///         the poster. A challenger that did not get its challenge resolved loses its bond to the next round, since
    ///         otherwise it could void every round for free. Anyone may call.
    function voidRound(uint32 round_) external {
        Round storage r = _rounds[round_];
        RoundStatus was = r.status;
        uint64 deadline = r.settleDeadline;
        if (was == RoundStatus.Open) {
            bool unsealed = _settings.sealSeconds != 0 && r.aggregate == 0;
            if (r.revealed > 0 || !_revealsClosed(r)) _checkReached(unsealed ? _sealDeadline(r) : deadline);
        } else if (was == RoundStatus.Posted || was == RoundStatus.Challenged) {
            bool disputed = was == RoundStatus.Challenged;
            _checkReached(deadline + (disputed ? _settings.settleSeconds : ABANDONED_AFTER));
            if (r.poster != address(0)) _balances[r.poster] += _settings.bond;
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

    function _post(
        uint32 round_,
        Round storage r,
        address[] memory participants,
        int256[] memory scores,
        uint256[] memory qualities,
        bytes calldata calibration,
        address poster
    ) private {
        r.status = RoundStatus.Posted;
        r.postingHash = _hash(participants, scores, qualities, calibration);
        emit ScoresPosted(round_, poster, participants, scores, qualities);
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
        if (r.published < r.revealed) revert ReportsMissing(r.published, r.revealed, deadline);
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
        address[] memory reports = new address[](participants.length);
        for (uint256 i; i < participants.length; ++i) {
            reports[i] = _reports[round_][participants[i]];
        }
        return scorer.resume(reports, _facts(round_, participants, calibration), progress, work);
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
        uint256 budget = own + r.forfeits;
        r.budget = 0;
        r.forfeits = 0;
        r.postingHash = _hash(participants, scores, qualities);
        ISchedule.Facts memory facts = _payFacts(round_, participants, scores, qualities);
        uint256[] memory amounts = schedule.split(budget, totalSlashed, scores, facts);
        budget += totalSlashed;
        uint256 paid = _credit(
            round_, r.lane, Pay(participants, scores, qualities, facts.roles, amounts, slashed)
        );
        if (paid > budget) revert ScheduleOverspent(paid, budget);
        uint256 returned = own > paid ? own - paid : 0;
        pool += uint96(returned);
        forfeited += SafeCast.toUint96(budget - paid - returned);
        _close(r, RoundStatus.Paid);
        emit RoundPaid(round_, paid, totalSlashed, returned);
    }

    /// @dev What the split may rest on; moves streaks and strikes.
    function _payFacts(
        uint32 round_,
        address[] memory participants,
        int256[] memory scores,
        uint256[] memory qualities
    ) private returns (ISchedule.Facts memory facts) {
        uint256 n = participants.length;
        facts = ISchedule.Facts(new uint8[](n), new uint32[](n));
        uint16 cap = _settings.streakCap;
        uint16 most = _settings.mostStrikes;
        bool roles = _hasRoles();
        if (cap == 0 && most == 0 && !roles) return facts;
        uint32 previous = _previousRound(round_);
        for (uint256 i; i < n; ++i) {
            Member storage member = _member[participants[i]];
            if (roles) facts.roles[i] = uint8(_roleOf(round_, member.position - 1));
            if (cap > 0) facts.streaks[i] = _moveStreak(member, round_, previous, scores[i] > 0, cap);
            if (most > 0 && facts.roles[i] == uint8(Role.Worker)) {
                if (qualities[i] > 0) member.strikes = 0;
                else if (++member.strikes == most) _exclude(round_, participants[i], member.position - 1);
            }
        }
    }

    /// @dev The newest round before one that is not void; 0: none.
    function _previousRound(uint32 round_) private view returns (uint32 previous) {
        previous = round_ - 1;
        while (previous > 0 && _rounds[previous].status == RoundStatus.Void) {
            --previous;
        }
    }

    /// @dev Returns the streak before a round. A round that is paid after a later one counts for nothing.
    function _moveStreak(Member storage member, uint32 round_, uint32 previous, bool earned, uint16 cap)
        private
        returns (uint16 streak)
    {
        uint32 last = member.earnedRound;
        if (last > round_) return 0;
        if (last != 0 && last == previous) streak = member.streak;
        if (earned) (member.earnedRound, member.streak) = (round_, streak < cap ? streak + 1 : cap);
        else member.streak = 0;
    }

    /// @dev The member has no part in later rounds, and its stake until it leaves.
    function _exclude(uint32 round_, address participant, uint256 index) private {
        _active[index >> 8] &= ~(1 << (index & 255));
        --activeMembers;
        emit MemberExcluded(round_, participant);
    }

    function _credit(uint32 round_, uint32 lane, Pay memory pay) private returns (uint256 paid) {
        mapping(address participant => bytes32) storage commitments = _commitments[lane];
        for (uint256 i; i < pay.participants.length; ++i) {
            address participant = pay.participants[i];
            uint256 amount = pay.amounts[i];
            if (amount > 0) _earn(participant, amount);
            paid += amount;
            bytes32 commitment;
            if (pay.roles[i] == uint8(Role.Worker)) commitment = commitments[participant];
            emit Receipt(
                round_, participant, commitment, pay.scores[i], amount, pay.slashed[i], formula, pay.qualities[i]
            );
        }
    }

    /// @dev Pay. What would not fit beside the rest of the member's record goes with the other balances.
    function _earn(address participant, uint256 amount) private {
        Member storage member = _member[participant];
        uint96 earned = member.earned;
        unchecked {
            if (amount <= type(uint96).max - earned) member.earned = earned + uint96(amount);
            else _balances[participant] += amount; // no more than there is of the token
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
        if (r.lane < LANES) _lanes &= ~(uint128(1) << r.lane);
        uint32 through = finalRounds;
        while (through < round && _rounds[through + 1].status >= RoundStatus.Paid) {
            ++through;
        }
        finalRounds = through;
    }

    /// @dev From what the contract owes the account already, else from its allowance.
    function _takeBond(address from) private {
        uint256 bond = _settings.bond;
        uint256 owned = _balances[from];
        uint256 earned = _member[from].earned;
        if (owned >= bond) {
            _balances[from] = owned - bond;
        } else if (owned + earned >= bond) {
            _balances[from] = 0;
            _member[from].earned = uint96(owned + earned - bond);
        } else {
            emit BondDeposited(from, bond);
            _pull(from, bond);
        }
    }

    /// @dev The round in which reports can be published and scored, and the end of publishing.
    function _publishing(uint32 round_) private view returns (Round storage r, uint64 deadline) {
        if (!_settings.onchain) {
            r = _inStatus(round_, RoundStatus.Challenged);
            return (r, r.settleDeadline);
        }
        r = _current(round_);
        _checkRevealsClosed(round_, r);
        deadline = _sealDeadline(r) + _settings.settleSeconds / 2;
    }

    function _checkPublishing(uint32 round_, Round storage r, uint64 deadline) private view {
        if (r.progress != 0) revert ScoringBegun(round_);
        _checkNotPassed(deadline);
    }

    /// @dev Check that a round can be scored: reveals, judging and sealing are over.
    function _checkScorable(uint32 round_, Round storage r) private view {
        _checkAssessmentsClosed(round_, r);
        if (r.revealed == 0) revert NobodyRevealed(round_);
        if (_settings.sealSeconds != 0 && r.aggregate == 0) revert NotSealed(round_, _sealDeadline(r));
    }

    /// @dev How many took part in a round: revealed or, where that is another role's part, judged or attested.
    function _taking(Round storage r) private view returns (uint256) {
        return _hasRoles() ? uint256(r.revealed) + r.assessed + r.attested : r.revealed;
    }

    /// @dev Those that took part, all of them, in ascending order.
    function _checkParticipants(uint32 round_, Round storage r, address[] memory participants) private view {
        _checkScorable(round_, r);
        _checkLength(participants.length, _taking(r));
        address previous;
        mapping(uint256 word => uint256) storage selection = _selection[round_];
        uint256 loaded = type(uint256).max;
        uint256 owing;
        for (uint256 i; i < participants.length; ++i) {
            address participant = participants[i];
            if (participant <= previous) revert ParticipantsNotAscending(previous, participant);
            previous = participant;
            Member storage member = _member[participant];
            (uint256 committed, uint256 index) = (member.committedRound, member.position);
            if (committed == round_) {
                --index;
                if (index >> 8 != loaded) (loaded, owing) = (index >> 8, selection[index >> 8]);
                if (owing & 1 << (index & 255) == 0) continue; // revealed
            }
            if (member.assessedRound == round_ || member.attestedRound == round_) continue;
            revert NotRevealed(participant, round_);
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
        return keccak256(abi.encode(_hash(participants, scores, qualities), keccak256(calibration)));
    }

    /// @dev Of what was paid for: keccak256 of the three lists' hashes, each of its elements, 32 bytes an element.
    function _hash(address[] memory participants, int256[] memory scores, uint256[] memory qualities)
        private
        pure
        returns (bytes32 hash)
    {
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore(free, keccak256(add(participants, 0x20), shl(5, mload(participants))))
            mstore(add(free, 0x20), keccak256(add(scores, 0x20), shl(5, mload(scores))))
            mstore(add(free, 0x40), keccak256(add(qualities, 0x20), shl(5, mload(qualities))))
            hash := keccak256(free, 0x60)
        }
    }

    function _checkHash(Round storage r, bytes32 hash) private view {
        if (hash != r.postingHash) revert PostingMismatch(hash, r.postingHash);
    }

    /// @dev The best `k`, best first; of equal ones the lowest address.
    function _emitTop(uint32 round_, uint256 k, address[] memory participants, int256[] memory scores) private {
        if (k > participants.length) k = participants.length;
        for (uint256 rank; rank < k; ++rank) {
            uint256 best = rank;
            for (uint256 i = rank + 1; i < participants.length; ++i) {
                if (scores[i] > scores[best]) best = i;
            }
            (address who, int256 score) = (participants[best], scores[best]);
            for (; best > rank; --best) {
                (participants[best], scores[best]) = (participants[best - 1], scores[best - 1]);
            }
            (participants[rank], scores[rank]) = (who, score);
        }
        assembly ("memory-safe") {
            mstore(participants, k)
        }
        emit RoundTopK(round_, participants);
    }
}
