// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IFederatedTask} from "../interfaces/IFederatedTask.sol";
import {IRandomness} from "../interfaces/IRandomness.sol";
import {IRounds} from "../interfaces/IRounds.sol";
import {IVRFCoordinator} from "../interfaces/IVRFCoordinator.sol";

/// @title Random words for the rounds of tasks, from a Chainlink VRF v2.5 coordinator.
/// @notice A word is asked for when the round's reveals are over, so nobody can choose, knowing it, whether to commit or
///         to reveal; and it is asked for once, so nobody can wait for a better one. Anyone may ask. The owner's
///         subscription pays, so the owner says for which tasks.
/// @dev The coordinator cannot be changed, not by the owner either, who could otherwise name one of its own. When
///      Chainlink moves its subscriptions to another coordinator, later tasks need another contract.
contract VRFRandomness is IRandomness {
    /// @param keyHash As in the coordinator's request.
    /// @param subId As in the coordinator's request.
    /// @param requestConfirmations As in the coordinator's request.
    /// @param callbackGasLimit As in the coordinator's request.
    /// @param nativePayment Whether the subscription pays in the chain's own currency.
    struct Parameters {
        bytes32 keyHash;
        uint256 subId;
        uint16 requestConfirmations;
        uint32 callbackGasLimit;
        bool nativePayment;
    }

    struct Draw {
        address task;
        uint32 round;
        bool drawn;
        bytes32 word;
    }

    bytes4 private constant EXTRA_ARGS_V1_TAG = bytes4(keccak256("VRF ExtraArgsV1"));

    IVRFCoordinator public immutable coordinator;
    address public immutable owner;
    Parameters private _parameters;
    mapping(address task => bool) public isAuthorised;
    /// @notice The request for a round's word; 0: none yet.
    mapping(address task => mapping(uint32 round => uint256 requestId)) public requestOf;
    mapping(uint256 requestId => Draw) private _draws;

    event TaskAuthorised(address indexed task);
    event WordRequested(address indexed task, uint32 indexed round, uint256 requestId);
    event WordDrawn(address indexed task, uint32 indexed round, uint256 requestId, bytes32 word);

    error NotOwner(address caller, address owner);
    error NotAuthorised(address task);
    error AlreadyRequested(address task, uint32 round, uint256 requestId);
    error RevealsNotOver(address task, uint32 round, uint64 deadline);
    error NothingToDraw(address task, uint32 round);
    error UnknownRequest(uint256 requestId);
    /// @dev As in Chainlink's VRFConsumerBaseV2Plus.
    error OnlyCoordinatorCanFulfill(address have, address want);

    constructor(address coordinator_, Parameters memory parameters_) {
        coordinator = IVRFCoordinator(coordinator_);
        owner = msg.sender;
        _parameters = parameters_;
    }

    /// @notice Let the rounds of a task have words.
    function authorise(address task) external {
        if (msg.sender != owner) revert NotOwner(msg.sender, owner);
        isAuthorised[task] = true;
        emit TaskAuthorised(task);
    }

    /// @notice Ask for the word of a round whose reveals are over; anyone may.
    function request(address task, uint32 round) external returns (uint256 requestId) {
        if (!isAuthorised[task]) revert NotAuthorised(task);
        requestId = requestOf[task][round];
        if (requestId != 0) revert AlreadyRequested(task, round, requestId);
        IFederatedTask.Round memory r = IRounds(task).roundOf(round);
        if (r.status != IFederatedTask.RoundStatus.Open) revert NothingToDraw(task, round);
        bool closed = (block.timestamp > r.commitDeadline || r.committed == r.selected)
            && (block.timestamp > r.revealDeadline || r.revealed == r.committed);
        if (!closed) revert RevealsNotOver(task, round, r.revealDeadline);
        if (r.revealed == 0) revert NothingToDraw(task, round);

        requestId = coordinator.requestRandomWords(
            IVRFCoordinator.RandomWordsRequest({
                keyHash: _parameters.keyHash,
                subId: _parameters.subId,
                requestConfirmations: _parameters.requestConfirmations,
                callbackGasLimit: _parameters.callbackGasLimit,
                numWords: 1,
                extraArgs: abi.encodeWithSelector(
                    EXTRA_ARGS_V1_TAG, IVRFCoordinator.ExtraArgsV1({nativePayment: _parameters.nativePayment})
                )
            })
        );
        requestOf[task][round] = requestId;
        _draws[requestId].task = task;
        _draws[requestId].round = round;
        emit WordRequested(task, round, requestId);
    }

    /// @notice The coordinator's answer.
    function rawFulfillRandomWords(uint256 requestId, uint256[] calldata randomWords) external {
        if (msg.sender != address(coordinator)) revert OnlyCoordinatorCanFulfill(msg.sender, address(coordinator));
        fulfillRandomWords(requestId, randomWords);
    }

    /// @inheritdoc IRandomness
    function wordOf(address task, uint32 round) external view returns (bytes32) {
        Draw storage draw = _draws[requestOf[task][round]];
        if (!draw.drawn) revert WordMissing(task, round);
        return draw.word;
    }

    /// @notice What the coordinator is asked with.
    function parameters() external view returns (Parameters memory) {
        return _parameters;
    }

    function fulfillRandomWords(uint256 requestId, uint256[] calldata randomWords) private {
        Draw storage draw = _draws[requestId];
        if (draw.task == address(0) || draw.drawn) revert UnknownRequest(requestId);
        draw.drawn = true;
        draw.word = bytes32(randomWords[0]);
        emit WordDrawn(draw.task, draw.round, requestId, draw.word);
    }
}
