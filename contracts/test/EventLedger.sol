// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Vm} from "forge-std/Vm.sol";

import {IFederatedTask} from "../interfaces/IFederatedTask.sol";

/// @title The task's money as an auditor books it who sees nothing but the events.
/// @dev Signed and never reverting: a wrong booking must show as a difference, not vanish with a reverted call.
abstract contract EventLedger {
    struct Book {
        int256 budget;
        int256 forfeits; // score slashes included
        int256 earned;
        address poster;
        address challenger;
        bool resolved;
        bool closed;
        uint256 steps;
        uint256 receipts;
        uint256 recorded;
        mapping(address participant => bool) revealed;
    }

    int256 public funded;
    int256 public refunded;
    int256 public bookedPool;
    int256 public bookedForfeited;
    int256 public bookedBonds;
    int256 public bookedBudgets; // with their forfeits
    bool public completed;
    mapping(address owner => int256) public bookedStake;
    mapping(address owner => int256) public owed;
    mapping(address owner => int256) public received;
    mapping(uint32 round => Book) private _books;
    mapping(string outcome => uint256) public times;
    string[] public mistakes;

    uint32 private _recording; // the newest round that was recorded
    address private _debtor; // whom the event before this one slashed for a debt
    int256 private immutable _bond;
    address private immutable _requester;
    address private constant _DEAD = address(0xdEaD);

    constructor(uint256 bond, address requester) {
        _bond = int256(bond);
        _requester = requester;
    }

    function mistakeCount() external view returns (uint256) {
        return mistakes.length;
    }

    function _read(Vm.Log[] memory logs, address task) internal {
        _debtor = address(0);
        for (uint256 i; i < logs.length; ++i) {
            if (logs[i].emitter == task) _book(logs[i].topics, logs[i].data);
        }
    }

    function _book(bytes32[] memory topics, bytes memory data) private {
        bytes32 name = topics[0];
        if (name == IFederatedTask.TaskInitialized.selector) {
            (,, int256 pool) = abi.decode(data, (string, uint32, int256));
            bookedPool += pool;
            funded += pool;
        } else if (name == IFederatedTask.TaskExtended.selector) {
            (, int256 pool) = abi.decode(data, (uint32, int256));
            bookedPool += pool;
            funded += pool;
            ++times["extended"];
        } else if (name == IFederatedTask.TaskCompleted.selector) {
            int256 burnt;
            (refunded, burnt) = abi.decode(data, (int256, int256));
            bookedPool -= refunded;
            bookedForfeited -= burnt;
            owed[_requester] += refunded;
            owed[_DEAD] += burnt;
            completed = true;
            ++times["completed"];
        } else if (name == IFederatedTask.Withdrawn.selector) {
            _bookWithdrawal(_address(topics[1]), abi.decode(data, (int256)));
        } else if (name == IFederatedTask.ParticipantJoined.selector || name == IFederatedTask.ParticipantLeft.selector)
        {
            _bookMember(name, _address(topics[1]), data);
        } else if (name == IFederatedTask.BondDeposited.selector) {
            owed[_address(topics[1])] += abi.decode(data, (int256));
            --times["bond from a balance"];
        } else if (topics.length > 1) {
            _bookRound(name, uint32(uint256(topics[1])), topics, data);
        }
    }

    function _bookMember(bytes32 name, address participant, bytes memory data) private {
        if (name == IFederatedTask.ParticipantJoined.selector) {
            (uint256 stake,) = abi.decode(data, (uint256, uint64));
            if (bookedStake[participant] != 0) mistakes.push("joined with a stake");
            bookedStake[participant] = int256(stake);
            ++times["joined"];
        } else {
            int256 stake = abi.decode(data, (int256));
            bookedStake[participant] -= stake;
            owed[participant] += stake;
            if (bookedStake[participant] != 0) mistakes.push("left with another stake");
            ++times["left"];
            if (_debtor == participant) ++times["debt settled by leaving"];
        }
    }

    function _bookRound(bytes32 name, uint32 round, bytes32[] memory topics, bytes memory data) private {
        Book storage book = _books[round];
        if (name == IFederatedTask.RoundOpened.selector) {
            (book.budget, book.forfeits,,,,) = abi.decode(data, (int256, int256, uint256, uint64, uint64, bytes32));
            bookedPool -= book.budget;
            bookedForfeited -= book.forfeits;
            if (bookedForfeited != 0) mistakes.push("opened without all that was forfeited");
            bookedBudgets += book.budget + book.forfeits;
            if (book.forfeits > 0) ++times["opened with forfeits"];
        } else if (name == IFederatedTask.MissingRevealSlashed.selector) {
            _bookMissing(book, _address(topics[2]), data);
            return;
        } else if (name == IFederatedTask.Committed.selector) {
            if (_debtor == _address(topics[2])) ++times["debt settled by committing"];
        } else if (name == IFederatedTask.ScoresPosted.selector) {
            book.poster = _address(topics[2]);
            _bind(book.poster);
        } else if (name == IFederatedTask.PostingChallenged.selector) {
            book.challenger = _address(topics[2]);
            _bind(book.challenger);
            ++times["challenged"];
        } else if (name == IFederatedTask.Revealed.selector) {
            if (book.revealed[_address(topics[2])]) mistakes.push("revealed twice");
            book.revealed[_address(topics[2])] = true;
        } else if (name == IFederatedTask.ReportRevealed.selector) {
            ++times["revealed in full"];
        } else if (name == IFederatedTask.ReportPublished.selector) {
            if (!book.revealed[_address(topics[2])]) mistakes.push("published without a reveal");
            if (book.steps > 0) mistakes.push("published after scoring had begun");
        } else if (name == IFederatedTask.ScoringProgressed.selector) {
            if (book.closed) mistakes.push("scored a closed round");
            ++book.steps;
        } else if (name == IFederatedTask.CalibrationRevealed.selector) {
            if (book.steps > 0) mistakes.push("calibrated after scoring had begun");
            ++times["calibrated"];
        } else if (name == IFederatedTask.ReputationRecorded.selector) {
            _bookRecord(book, round, data);
        } else if (name == IFederatedTask.ChallengeResolved.selector) {
            (bool upheld, address winner,) = abi.decode(data, (bool, address, int256[]));
            book.resolved = true;
            if (winner != (upheld ? book.poster : book.challenger)) mistakes.push("bond to the wrong side");
            _release(winner, 2 * _bond);
            ++times[upheld ? "upheld" : "overturned"];
        } else if (name == IFederatedTask.Receipt.selector) {
            _bookReceipt(book, _address(topics[2]), data);
        } else if (name == IFederatedTask.RoundPaid.selector || name == IFederatedTask.RoundVoided.selector) {
            _bookEnd(name, book, data);
        }
        _debtor = address(0);
    }

    function _bookMissing(Book storage book, address participant, bytes memory data) private {
        (int256 amount, bool intoRound) = abi.decode(data, (int256, bool));
        bookedStake[participant] -= amount;
        if (intoRound) _addForfeits(book, amount);
        else bookedForfeited += amount;
        if (intoRound && book.closed) mistakes.push("slashed into a closed round");
        _debtor = intoRound ? address(0) : participant;
        ++times[book.closed ? "missing slashed late" : "missing slashed"];
    }

    function _bookReceipt(Book storage book, address participant, bytes memory data) private {
        (,, uint256 payout, uint256 slashed,, uint256 quality) =
            abi.decode(data, (bytes32, int256, uint256, uint256, bytes32, uint256));
        if (quality > 1e18) mistakes.push("quality above 1");
        ++book.receipts;
        owed[participant] += int256(payout);
        bookedStake[participant] -= int256(slashed);
        _addForfeits(book, int256(slashed));
        book.earned += int256(payout);
        if (slashed > 0) ++times["score slashed"];
    }

    // Every participant of a paid round once, rounds one after the other.
    function _bookRecord(Book storage book, uint32 round, bytes memory data) private {
        (uint256 from, uint256 to) = abi.decode(data, (uint256, uint256));
        if (from != book.recorded || to <= from || to > book.receipts) mistakes.push("recorded others than the next");
        if (round < _recording) mistakes.push("recorded out of order");
        for (uint32 r = 1; r < round; ++r) {
            if (_books[r].recorded < _books[r].receipts || !_books[r].closed) mistakes.push("recorded too early");
        }
        (book.recorded, _recording) = (to, round);
        ++times["recorded"];
    }

    function _bookEnd(bytes32 name, Book storage book, bytes memory data) private {
        int256 returned;
        if (name == IFederatedTask.RoundPaid.selector) {
            int256 paid;
            (paid,, returned) = abi.decode(data, (int256, uint256, int256));
            if (paid != book.earned) mistakes.push("receipts do not add up");
            if (book.poster != address(0) && !book.resolved) _release(book.poster, _bond);
            ++times[paid > 0 ? "paid" : "unearned"];
            if (book.steps > 1) ++times["paid after steps"];
        } else {
            returned = abi.decode(data, (int256));
            if (book.poster != address(0)) _release(book.poster, _bond);
            if (book.challenger != address(0)) _forfeitBond();
            if (book.steps > 0) ++times["voided after steps"];
            ++times[
                book.poster == address(0)
                    ? "voided"
                    : book.challenger == address(0) ? "voided as posted" : "voided in dispute"
            ];
        }
        int256 left = book.budget + book.forfeits - book.earned;
        if (returned != (book.earned < book.budget ? book.budget - book.earned : int256(0))) {
            mistakes.push("returned another amount than the pay left of the budget");
        }
        bookedBudgets -= left + book.earned;
        bookedPool += returned;
        bookedForfeited += left - returned;
        book.closed = true;
    }

    function _bookWithdrawal(address owner, int256 amount) private {
        if (completed) {
            owed[owner] += bookedStake[owner];
            bookedStake[owner] = 0;
        }
        if (amount != owed[owner]) mistakes.push("withdrew another amount than was owed");
        owed[owner] -= amount;
        received[owner] += amount;
        ++times["withdrawn"];
    }

    function _addForfeits(Book storage book, int256 amount) private {
        book.forfeits += amount;
        bookedBudgets += amount;
    }

    // Out of what the owner is owed, or of a deposit that the next event tells.
    function _bind(address owner) private {
        bookedBonds += _bond;
        owed[owner] -= _bond;
        ++times["bond from a balance"];
    }

    function _release(address owner, int256 amount) private {
        bookedBonds -= amount;
        owed[owner] += amount;
    }

    function _forfeitBond() private {
        bookedBonds -= _bond;
        bookedForfeited += _bond;
    }

    function _address(bytes32 topic) private pure returns (address) {
        return address(uint160(uint256(topic)));
    }
}
