// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {SSTORE2} from "solady/src/utils/SSTORE2.sol";

import {TaskState} from "./TaskState.sol";

/// @title What members say of a round: scores of its contributions, and what they add up to.
/// @notice Judging is the validators' part, or where nobody has a role that of all workers that revealed; attesting is the
///         miners'. A member says each once a round; who signs two different ones can be slashed by anyone.
/// @dev In one contract with `Settlement`, which is what happens next: apart, the two would share less code, and a task
///      could not be created in one transaction (EIP-3860).
abstract contract Assessment is TaskState {
    bytes32 private constant SCORE_TYPEHASH =
        keccak256("Score(address participant,uint32 round,address[] subjects,uint256[] scores)");
    bytes32 private constant SEAL_TYPEHASH = keccak256("Seal(address participant,uint32 round,bytes32 aggregate)");
    uint256 internal constant WAD = 1e18;
    uint256 private constant MARK_BYTES = 12;

    /// @notice Say what contributions of this round are worth, once the reveals are over.
    /// @param subjects Ascending; workers that revealed in this round, but not the caller; the task's own address for what
    ///        the round began with.
    /// @param scores WAD, from 0 to 1.
    function submitScore(uint32 round_, address[] calldata subjects, uint256[] calldata scores) external {
        _submit(round_, msg.sender, subjects, scores);
    }

    /// @notice The same for members that signed for it; anyone may relay. Those that have submitted are passed over.
    function submitScoreFor(uint32 round_, ScoreRequest[] calldata requests) external {
        for (uint256 i; i < requests.length; ++i) {
            ScoreRequest calldata request = requests[i];
            if (_member[request.participant].assessedRound == round_) continue;
            bytes32 tail = keccak256(abi.encodePacked(request.subjects));
            bytes32 structHash = keccak256(
                abi.encode(
                    SCORE_TYPEHASH, request.participant, round_, tail, keccak256(abi.encodePacked(request.scores))
                )
            );
            _verify(request.participant, structHash, request.signature);
            _submit(round_, request.participant, request.subjects, request.scores);
        }
    }

    /// @notice What members have said of the newest round so far, by position.
    function getSubmissions() external view returns (Submission[] memory submissions) {
        uint32 round_ = round;
        uint256 members_ = _members.length;
        submissions = new Submission[](_rounds[round_].assessed);
        uint256 found;
        for (uint256 i; i < members_ && found < submissions.length; ++i) {
            address participant = _members[i];
            address pointer = _marks[round_][participant];
            if (pointer == address(0)) continue;
            bytes memory marks = SSTORE2.read(pointer);
            uint256 count = marks.length / MARK_BYTES;
            Submission memory submission = Submission(participant, new address[](count), new uint256[](count));
            for (uint256 k; k < count; ++k) {
                (uint256 position, uint256 score) = _markAt(marks, k);
                submission.subjects[k] = position == 0 ? address(this) : _members[position - 1];
                submission.scores[k] = score;
            }
            submissions[found++] = submission;
        }
    }

    /// @notice Attest what this round's accepted contributions add up to, once the judging is over.
    /// @param aggregate Hash of it.
    function attest(uint32 round_, bytes32 aggregate) external {
        _attest(round_, msg.sender, aggregate);
    }

    /// @notice The same for members that signed for it; anyone may relay. Those that have attested are passed over.
    function attestFor(uint32 round_, SealRequest[] calldata requests) external {
        for (uint256 i; i < requests.length; ++i) {
            SealRequest calldata request = requests[i];
            if (_member[request.participant].attestedRound == round_) continue;
            _verify(
                request.participant,
                keccak256(abi.encode(SEAL_TYPEHASH, request.participant, round_, request.aggregate)),
                request.signature
            );
            _attest(round_, request.participant, request.aggregate);
        }
    }

    /// @notice Slash a member that signed two different statements of a kind for one round; anyone may call.
    /// @param first What follows the round in the signed struct, encoded: of `Score` the hashes of the packed subjects and
    ///        scores, 64 bytes; of `Seal` the aggregate, 32 bytes.
    /// @param second The same of the other statement.
    function proveEquivocation(
        uint32 round_,
        address participant,
        Statement statement,
        bytes calldata first,
        Signature calldata firstSignature,
        bytes calldata second,
        Signature calldata secondSignature
    ) external {
        _checkTask(TaskStatus.Running);
        if (round_ == 0 || round_ > round) revert WrongRound(round_, round);
        Member storage member = _member[participant];
        if (member.position == 0) revert NotMember(participant);
        if (_equivocated[round_][participant]) revert AlreadyProved(participant, round_);
        (bytes32 typehash, uint256 length) =
            statement == Statement.Score ? (SCORE_TYPEHASH, 64) : (SEAL_TYPEHASH, 32);
        _checkLength(first.length, length);
        _checkLength(second.length, length);
        if (keccak256(first) == keccak256(second)) revert SameStatement(participant);
        _verify(participant, _statementHash(typehash, participant, round_, first), firstSignature);
        _verify(participant, _statementHash(typehash, participant, round_, second), secondSignature);
        _equivocated[round_][participant] = true;
        uint96 amount = uint96(uint256(member.stake) * _settings.missingSlashBps / 10_000);
        member.stake -= amount;
        forfeited += amount;
        emit EquivocationSlashed(round_, participant, statement, amount);
    }

    function _submit(uint32 round_, address participant, address[] calldata subjects, uint256[] calldata scores)
        private
    {
        Round storage r = _current(round_);
        _checkRevealsClosed(round_, r);
        _checkNotPassed(_assessDeadline(r));
        Member storage member = _member[participant];
        if (!_judges(round_, member)) revert NotAssessor(participant, round_);
        if (member.assessedRound == round_) revert AlreadyAssessed(participant, round_);
        _checkLength(scores.length, subjects.length);
        bytes memory marks = new bytes(MARK_BYTES * subjects.length);
        address previous;
        for (uint256 k; k < subjects.length; ++k) {
            address subject = subjects[k];
            if (subject <= previous) revert SubjectsNotAscending(previous, subject);
            if (subject == participant) revert OwnSubject(participant);
            uint256 score = scores[k];
            if (score > WAD) revert MarkOutOfBounds(subject, score, WAD);
            uint256 position;
            if (subject != address(this)) {
                Member storage judged = _member[subject];
                if (!_hasRevealed(round_, judged)) revert UnknownSubject(subject, round_);
                position = judged.position;
            }
            uint256 mark = (position << 64 | score) << 160;
            assembly ("memory-safe") {
                // The last mark ends where the length says; what it writes beyond is in the word that rounds it up, or
                // is written over by the next.
                let at := add(add(marks, 0x20), mul(k, 12))
                let kept := and(mload(at), sub(shl(160, 1), 1))
                mstore(at, or(mark, kept))
            }
            previous = subject;
        }
        member.assessedRound = round_;
        ++r.assessed;
        _marks[round_][participant] = SSTORE2.write(marks);
        emit ScoresSubmitted(round_, participant, subjects, scores);
    }

    /// @dev Whether a member judges contributions of a round.
    function _judges(uint32 round_, Member storage member) private view returns (bool) {
        if (_settings.assessSeconds == 0 || member.position == 0) return false;
        if (!_hasRoles()) return _hasRevealed(round_, member);
        uint256 index = member.position - 1;
        return _isSelected(round_, index) && _roleOf(round_, index) == Role.Validator;
    }

    function _attest(uint32 round_, address participant, bytes32 aggregate) private {
        Round storage r = _current(round_);
        _checkAssessmentsClosed(round_, r);
        _checkNotPassed(_sealDeadline(r));
        if (r.revealed == 0) revert NobodyRevealed(round_);
        Member storage member = _member[participant];
        if (member.position == 0) revert NotMember(participant);
        uint256 index = member.position - 1;
        if (!_isSelected(round_, index) || _roleOf(round_, index) != Role.Miner) revert NotMiner(participant, round_);
        if (member.attestedRound == round_) revert AlreadyAttested(participant, round_);
        if (aggregate == 0) revert EmptyAggregate(participant);
        member.attestedRound = round_;
        ++r.attested;
        _attestations[round_][participant] = aggregate;
        uint32 support = ++_support[round_][aggregate];
        emit Attested(round_, participant, aggregate);
        if (r.aggregate == 0 && 2 * uint256(support) > r.miners) {
            address proposer = _proposer(round_, aggregate);
            r.aggregate = aggregate;
            lastAggregate = aggregate;
            emit RoundSealed(round_, aggregate, proposer);
        }
    }

    /// @dev Of those that attested a hash so far, the one with the highest stake; ties to the lowest hash of the seal
    ///      before and the address.
    function _proposer(uint32 round_, bytes32 aggregate) private view returns (address proposer) {
        uint256 words = (_members.length + 255) >> 8;
        uint256 most;
        uint256 rank;
        for (uint256 w; w < words; ++w) {
            uint256 left = _miners[round_][w] & _selection[round_][w];
            for (uint256 index = w << 8; left != 0; (left >>= 1, ++index)) {
                if (left & 1 == 0) continue;
                address miner = _members[index];
                if (_attestations[round_][miner] != aggregate) continue;
                uint256 stake = _member[miner].stake;
                uint256 drawn = uint256(keccak256(abi.encode(lastAggregate, miner)));
                if (proposer == address(0) || stake > most || (stake == most && drawn < rank)) {
                    (proposer, most, rank) = (miner, stake, drawn);
                }
            }
        }
    }

    function _statementHash(bytes32 typehash, address participant, uint32 round_, bytes calldata tail)
        private
        pure
        returns (bytes32)
    {
        return keccak256(bytes.concat(abi.encode(typehash, participant, round_), tail));
    }
}
