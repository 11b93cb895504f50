// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title The vocabulary of a federated task: its parameters, what travels, what can go wrong, what is recorded.
interface IFederatedTask {
    enum TaskStatus {
        Created,
        Open,
        Running,
        Completed
    }

    enum RoundStatus {
        None,
        Open,
        Posted,
        Challenged,
        Paid,
        Void
    }

    /// @notice Fixed at deployment. Amounts in token units, periods in seconds, scores in WAD.
    /// @param token ERC-20 that pays and is staked; without a fee on transfer; with permit for relayed joining.
    /// @param scorer What a contribution is worth.
    /// @param schedule How a round's budget splits.
    /// @param minimumStake Least stake at joining.
    /// @param bond What a poster and a challenger put at risk.
    /// @param slashPerScore Taken from the stake for each 1.0 of negative score.
    /// @param slashFloor Scores above -slashFloor are not slashed, so that chance is not punished.
    /// @param minimumMembers Fewest members to start with.
    /// @param maximumMembers Most members; bounds every loop.
    /// @param commitSeconds Time to commit, from the opening of a round.
    /// @param revealSeconds Time to reveal, after that.
    /// @param settleSeconds Time to post scores, after that.
    /// @param challengeSeconds Time to challenge a posting, and then to publish the reports.
    /// @param missingSlashBps Share of the stake that a commitment without a reveal costs, in 1/10,000.
    /// @param lateJoin Whether one may join a running task.
    /// @param onchain Whether the contract computes every round's scores from published reports, rather than only
    ///        those of a posting that is challenged.
    /// @param reputation Registry that paid rounds can be recorded in; 0: none.
    /// @param admission Who may join; 0: everybody with a stake.
    /// @param randomness Source of a word for each round's seed, besides the salts; 0: the salts alone.
    /// @param assessSeconds Time to judge the round's contributions, after the reveals; 0: nobody does.
    /// @param sealSeconds Time to attest the round's aggregate, after that; 0: no round is sealed.
    /// @param workers Share of the members that contribute to a round, beside the other two.
    /// @param validators Share of the members that judge; 0 as miners: everybody contributes, and judges if anybody does.
    /// @param miners Share of the members that attest.
    /// @param mostStrikes A worker whose quality is 0 in so many of its rounds in a row is excluded; 0: nobody is.
    /// @param streakCap Up to so many rounds in a row that a member earned in are counted; 0: none.
    struct Settings {
        address token;
        address scorer;
        address schedule;
        uint96 minimumStake;
        uint96 bond;
        uint96 slashPerScore;
        uint96 slashFloor;
        uint32 minimumMembers;
        uint32 maximumMembers;
        uint32 commitSeconds;
        uint32 revealSeconds;
        uint32 settleSeconds;
        uint32 challengeSeconds;
        uint16 missingSlashBps;
        bool lateJoin;
        bool onchain;
        address reputation;
        address admission;
        address randomness;
        uint32 assessSeconds;
        uint32 sealSeconds;
        uint16 workers;
        uint16 validators;
        uint16 miners;
        uint16 mostStrikes;
        uint16 streakCap;
    }

    /// @notice What a member does in a round.
    enum Role {
        Worker,
        Validator,
        Miner
    }

    struct Member {
        uint96 stake;
        uint64 samples;
        uint32 position; // in the list of members, from 1; 0: no member
        uint32 committedRound; // the last round this member committed in
        uint32 departures; // how often it has left; stays when it leaves
        uint32 assessedRound; // the last round this member judged contributions of
        uint32 attestedRound; // the last round this member attested the aggregate of
        uint32 earnedRound; // the newest round paid with a score above 0, where streaks are counted
        uint16 streak; // paid rounds in a row up to that one, capped
        uint16 strikes; // rounds as a worker with quality 0, in a row
        uint32 slashedRound; // the last round this member was slashed in for a reveal that did not come
        uint96 earned; // token units paid and not withdrawn: beside what a payment changes anyway, and part of its balance
    }

    struct Round {
        uint96 budget;
        uint32 selected; // workers
        uint32 committed;
        uint32 revealed;
        uint64 commitDeadline;
        uint64 revealDeadline;
        uint64 settleDeadline; // to post; once posted: to challenge; once challenged: to publish, then to compute
        RoundStatus status;
        uint32 published;
        uint32 recorded; // participants, in the registry of reputations
        uint32 lane; // where the round's commitments are kept; a lane serves again once its round is closed
        bytes32 postingHash; // of the posting; onchain, of the revealed calibration; once paid, of what was paid for
        address poster;
        uint96 forfeits; // from slashes; paid with the budget, but never back to the requester
        address challenger;
        bytes32 calibration; // commitment to it; 0: none
        bytes32 progress; // hash of the scorer's; 0: not begun
        bytes32 entropy; // of the salts that were revealed
        uint32 validators; // selected
        uint32 assessed;
        uint32 miners; // selected
        uint32 attested;
        bytes32 aggregate; // the hash that the round is sealed with; 0: not sealed
    }

    /// @notice A signature in its 64-byte form (EIP-2098).
    struct Signature {
        bytes32 r;
        bytes32 vs;
    }

    /// @notice EIP-712 `Join(address participant,uint256 stake,uint64 samples,uint256 departures,uint256 deadline)`,
    ///         and the ERC-2612 permit of the same stake and deadline. `departures` is how often the participant has
    ///         left this task, so that the wish of one that left cannot be replayed.
    /// @param proof What the task's admission asks for; not signed, since it serves nobody but the participant.
    struct JoinRequest {
        address participant;
        uint96 stake;
        uint64 samples;
        uint256 deadline;
        Signature signature;
        Signature permit;
        bytes proof;
    }

    /// @notice EIP-712 `Commit(address participant,uint32 round,bytes32 commitment)`.
    struct CommitRequest {
        address participant;
        bytes32 commitment;
        Signature signature;
    }

    /// @notice EIP-712 `Score(address participant,uint32 round,address[] subjects,uint256[] scores)`.
    struct ScoreRequest {
        address participant;
        address[] subjects;
        uint256[] scores;
        Signature signature;
    }

    /// @notice EIP-712 `Seal(address participant,uint32 round,bytes32 aggregate)`.
    struct SealRequest {
        address participant;
        bytes32 aggregate;
        Signature signature;
    }

    /// @notice What a member says of a round's contributions: scores of other workers, WAD from 0 to 1, and of what the
    ///         round began with, whose subject is the task itself.
    struct Submission {
        address participant;
        address[] subjects;
        uint256[] scores;
    }

    /// @notice A statement that can be made once a round and participant.
    enum Statement {
        Score,
        Seal
    }

    /// @notice The preimage of a commitment.
    /// @param contentDigest SHA-256 digest inside the content's CID: what was exchanged in full.
    /// @param reportHash keccak256 of the report, the part that is scored.
    struct Reveal {
        address participant;
        bytes32 contentDigest;
        bytes32 reportHash;
        bytes32 salt;
    }

    event TaskInitialized(string termsCid, uint32 rounds, uint256 pool);
    event TaskExtended(uint32 rounds, uint256 pool);
    event TaskStarted(uint256 members);
    event ParticipantJoined(address indexed participant, uint256 stake, uint64 samples);
    event ParticipantLeft(address indexed participant, uint256 stake);
    /// @param forfeits Left over from earlier slashes; paid with the budget.
    /// @param calibration keccak256(abi.encode(items, salt)) of the calibration to be revealed, or 0.
    event RoundOpened(
        uint32 indexed round,
        uint256 budget,
        uint256 forfeits,
        uint256 selected,
        uint64 commitDeadline,
        uint64 revealDeadline,
        bytes32 calibration
    );
    /// @notice Who does what in a round.
    /// @param order All active members in the order in which they were drawn: first the workers, then the validators, then
    ///        the miners. Those that are not selected have a role and no part.
    event RolesDrawn(uint32 indexed round, address[] order, uint256 workers, uint256 validators);
    event Committed(uint32 indexed round, address indexed participant, bytes32 commitment);
    event Revealed(uint32 indexed round, address indexed participant, bytes32 contentDigest, bytes32 reportHash, bytes32 salt);
    /// @notice A report that was revealed in full, by its author, rather than through the requester.
    event ReportRevealed(uint32 indexed round, address indexed participant, bytes report);
    /// @param intoRound Whether the amount joins that round's pay, which is still to come, or a later one's.
    event MissingRevealSlashed(uint32 indexed round, address indexed participant, uint256 amount, bool intoRound);
    event ScoresSubmitted(uint32 indexed round, address indexed participant, address[] subjects, uint256[] scores);
    event Attested(uint32 indexed round, address indexed participant, bytes32 aggregate);
    /// @param proposer Of those that had attested the hash by then, the one with the highest stake.
    event RoundSealed(uint32 indexed round, bytes32 aggregate, address proposer);
    event EquivocationSlashed(uint32 indexed round, address indexed participant, Statement statement, uint256 amount);
    /// @notice The best of a round whose scores were computed, best first.
    event RoundTopK(uint32 indexed round, address[] participants);
    event MemberExcluded(uint32 indexed round, address indexed participant);
    event ScoresPosted(
        uint32 indexed round,
        address indexed poster,
        address[] participants,
        int256[] scores,
        uint256[] qualities
    );
    /// @notice The calibration that the round is scored with.
    event CalibrationRevealed(uint32 indexed round, bytes calibration, bytes32 salt);
    /// @notice A bond that came from an allowance; one taken from a balance here moves no tokens.
    event BondDeposited(address indexed from, uint256 amount);
    event PostingChallenged(uint32 indexed round, address indexed challenger);
    event ReportPublished(uint32 indexed round, address indexed participant, bytes32 contentDigest);
    /// @param progress What the next step of the computation begins with.
    event ScoringProgressed(uint32 indexed round, bytes progress);
    event ChallengeResolved(uint32 indexed round, bool upheld, address winner, int256[] scores);
    /// @notice All that is needed to recompute one participant's pay for one round.
    /// @param commitment To what was contributed, opened by `Revealed`; 0 of whoever had another part in the round.
    event Receipt(
        uint32 indexed round,
        address indexed participant,
        bytes32 commitment,
        int256 score,
        uint256 payout,
        uint256 slashed,
        bytes32 formula,
        uint256 quality
    );
    event RoundPaid(uint32 indexed round, uint256 paid, uint256 slashed, uint256 returned);
    event RoundVoided(uint32 indexed round, uint256 returned);
    /// @notice Participants `from` to `to` - 1 of a paid round went into the registry of reputations.
    event ReputationRecorded(uint32 indexed round, uint256 from, uint256 to);
    /// @param burnt What slashes brought in and nobody earned.
    event TaskCompleted(uint256 refunded, uint256 burnt);
    event Withdrawn(address indexed owner, uint256 amount);

    error NotRequester(address caller, address requester);
    error RequesterCannotJoin(address requester);
    error WrongTaskStatus(TaskStatus status, TaskStatus expected);
    error WrongRoundStatus(uint32 round, RoundStatus status, RoundStatus expected);
    error WrongRound(uint32 round, uint32 expected);
    error NoRounds();
    error EmptyPool();
    error SettingTooSmall(string name, uint256 value, uint256 minimum);
    error SettingTooLarge(string name, uint256 value, uint256 maximum);
    error TooFewMembers(uint256 members, uint256 minimum);
    error TooManyMembers(uint256 members, uint256 maximum);
    error AlreadyJoined(address participant);
    error NotMember(address participant);
    error StakeTooSmall(address participant, uint256 stake, uint256 minimum);
    error TokenShortfall(uint256 received, uint256 expected);
    error InvalidSignature(address participant, address recovered);
    error SignatureExpired(address participant, uint256 deadline);
    error RoundsExhausted(uint32 rounds);
    error RoundNotFinal(uint32 round);
    error NotSelected(address participant, uint32 round);
    error NotActive(uint256 word, uint256 positions);
    error AlreadyCommitted(address participant, uint32 round);
    error EmptyCommitment(address participant);
    error DeadlinePassed(uint64 deadline);
    error DeadlineNotReached(uint64 deadline);
    error CommitPhaseOpen(uint32 round, uint64 deadline);
    error RevealPhaseOpen(uint32 round, uint64 deadline);
    error RevealPhaseClosed(uint32 round, uint64 deadline);
    error NotCommitted(address participant, uint32 round);
    error CommitmentMismatch(address participant, bytes32 commitment, bytes32 expected);
    error LengthMismatch(uint256 length, uint256 expected);
    error ParticipantsNotAscending(address previous, address participant);
    error NotRevealed(address participant, uint32 round);
    error NobodyRevealed(uint32 round);
    error ScoreOutOfBounds(address participant, int256 score);
    error QualityOutOfBounds(address participant, uint256 quality);
    error PostingMismatch(bytes32 hash, bytes32 expected);
    error CalibrationMismatch(bytes32 hash, bytes32 expected);
    error CalibrationTooLong(uint256 length, uint256 maximum);
    error CalibrationMissing(uint32 round, uint64 deadline);
    error WrongSettlement();
    error ScoringBegun(uint32 round);
    error ProgressMismatch(bytes32 hash, bytes32 expected);
    error AlreadyPublished(address participant, uint32 round);
    error ReportsMissing(uint32 published, uint32 expected, uint64 deadline);
    error ScheduleOverspent(uint256 amounts, uint256 budget);
    error RolesIncomplete(uint16 workers, uint16 validators, uint16 miners);
    error TooFewForRoles(uint256 members, uint256 minimum);
    error RoleEmpty(uint32 round, Role role);
    error AssessPhaseOpen(uint32 round, uint64 deadline);
    error NotAssessor(address participant, uint32 round);
    error AlreadyAssessed(address participant, uint32 round);
    error SubjectsNotAscending(address previous, address subject);
    error UnknownSubject(address subject, uint32 round);
    error OwnSubject(address participant);
    error MarkOutOfBounds(address subject, uint256 score, uint256 maximum);
    error NotMiner(address participant, uint32 round);
    error AlreadyAttested(address participant, uint32 round);
    error EmptyAggregate(address participant);
    error NotSealed(uint32 round, uint64 deadline);
    error SameStatement(address participant);
    error AlreadyProved(address participant, uint32 round);
    error CalibrationNeeded(uint32 round);
    error NoReputation();
    error NotRecorder(address task);
    error AlreadyRecorded(uint32 round, uint256 participants);
}
