// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {VRFCoordinatorV2_5Mock} from "@chainlink/contracts/vrf/mocks/VRFCoordinatorV2_5Mock.sol";

import {IFederatedTask} from "../interfaces/IFederatedTask.sol";
import {IRandomness} from "../interfaces/IRandomness.sol";
import {IVRFCoordinator} from "../interfaces/IVRFCoordinator.sol";
import {VRFRandomness} from "../randomness/VRFRandomness.sol";
import {Shipped} from "./Shipped.sol";
import {TaskTest} from "./TaskTest.sol";

/// @title A task whose seeds need a word of Chainlink's published mock coordinator.
contract VRFTest is TaskTest {
    bytes32 private constant KEY_HASH = keccak256("lane");
    uint32 private constant CALLBACK_GAS = 100_000;
    uint256 private constant WORD = uint256(keccak256("word"));

    VRFCoordinatorV2_5Mock private coordinator;
    VRFRandomness private source;
    uint256 private subscription;
    bool private onchain;

    function setUp() public override {
        coordinator = new VRFCoordinatorV2_5Mock(0.1 ether, 1 gwei, 0.005 ether);
        subscription = coordinator.createSubscription();
        coordinator.fundSubscription(subscription, 100 ether);
        source = Shipped.vrfRandomness(
            address(coordinator), VRFRandomness.Parameters(KEY_HASH, subscription, 3, CALLBACK_GAS, false)
        );
        coordinator.addConsumer(subscription, address(source));
        super.setUp();
        source.authorise(address(task));
    }

    function _settings() internal view override returns (IFederatedTask.Settings memory s) {
        s = super._settings();
        s.randomness = address(source);
        s.onchain = onchain;
    }

    function test_round_with_a_word_is_posted_and_paid() public {
        _start(4);
        uint32 round = _playToReveal(4);
        _draw(round);
        _post(round, _who(4), _rightScores(4));
        skip(CHALLENGE + 1);
        _pay(round, _who(4), _rightScores(4));
        _assertStatus(round, IFederatedTask.RoundStatus.Paid);
    }

    function test_word_is_mixed_into_the_seed_of_its_round() public {
        _start(4);
        uint32 round = _playToReveal(4);
        bytes32 entropy = task.roundOf(round).entropy;
        _draw(round);
        assertEq(source.wordOf(address(task), round), bytes32(WORD));
        bytes32 expected =
            keccak256(abi.encode(block.chainid, address(task), round, entropy ^ bytes32(WORD)));
        assertEq(task.seedOf(round), expected);
    }

    function test_posting_before_the_word_is_refused() public {
        _start(4);
        uint32 round = _playToReveal(4);
        int256[] memory scores = _rightScores(4);
        _expectMissing(round);
        _post(round, _who(4), scores);
        source.request(address(task), round);
        _expectMissing(round);
        _post(round, _who(4), scores);
        _expectMissing(round);
        task.seedOf(round);
    }

    function test_computing_before_the_word_is_refused() public {
        onchain = true;
        task = _deploy(_settings());
        _fund(task);
        source.authorise(address(task));
        _start(4);
        uint32 round = _playToReveal(4);
        _publishAll(4, round);
        address[] memory who = _who(4);
        _expectMissing(round);
        task.computeScores(round, who, new int256[](0), new uint256[](0), "", "", type(uint256).max);
        _draw(round);
        task.computeScores(round, who, new int256[](0), new uint256[](0), "", "", type(uint256).max);
        _assertStatus(round, IFederatedTask.RoundStatus.Paid);
    }

    function test_word_is_asked_for_only_when_no_reveal_can_follow() public {
        _start(4);
        uint32 round = _open();
        _expectNotOver(round);
        source.request(address(task), round);
        _commitAll(3, round);
        skip(COMMIT); // the last second to commit
        _expectNotOver(round);
        source.request(address(task), round);
        skip(1);
        _reveal(0, round);
        _expectNotOver(round);
        source.request(address(task), round);
        skip(REVEAL - 1); // the last second to reveal
        _expectNotOver(round);
        source.request(address(task), round);
        skip(1);
        source.request(address(task), round);
        _expectLate(round);
        _reveal(1, round);
    }

    function test_word_is_asked_for_once_and_by_anybody() public {
        _start(4);
        uint32 round = _playToReveal(4);
        vm.prank(stranger);
        uint256 id = source.request(address(task), round);
        vm.expectRevert(abi.encodeWithSelector(VRFRandomness.AlreadyRequested.selector, task, round, id));
        source.request(address(task), round);
        _fulfil(id);
        vm.expectRevert(abi.encodeWithSelector(VRFRandomness.AlreadyRequested.selector, task, round, id));
        source.request(address(task), round);
    }

    function test_request_has_the_published_form() public {
        _start(4);
        uint32 round = _playToReveal(4);
        bytes memory extra = abi.encodeWithSelector(bytes4(keccak256("VRF ExtraArgsV1")), false);
        vm.expectEmit(address(coordinator));
        emit VRFCoordinatorV2_5Mock.RandomWordsRequested(
            KEY_HASH, 1, 100, subscription, 3, CALLBACK_GAS, 1, extra, address(source)
        );
        source.request(address(task), round);
        assertEq(IVRFCoordinator.requestRandomWords.selector, coordinator.requestRandomWords.selector);
    }

    function test_subscription_can_pay_in_the_chains_own_currency() public {
        coordinator.fundSubscriptionWithNative{value: 10 ether}(subscription);
        source = Shipped.vrfRandomness(
            address(coordinator), VRFRandomness.Parameters(KEY_HASH, subscription, 3, CALLBACK_GAS, true)
        );
        coordinator.addConsumer(subscription, address(source));
        task = _deploy(_settings());
        _fund(task);
        source.authorise(address(task));
        _start(4);
        _draw(_playToReveal(4));
        (, uint96 left,,,) = coordinator.getSubscription(subscription);
        assertLt(left, 10 ether);
    }

    function test_only_the_coordinator_answers_and_each_request_once() public {
        _start(4);
        uint32 round = _playToReveal(4);
        uint256 id = source.request(address(task), round);
        uint256[] memory words = _words();
        vm.prank(stranger);
        vm.expectRevert(
            abi.encodeWithSelector(VRFRandomness.OnlyCoordinatorCanFulfill.selector, stranger, coordinator)
        );
        source.rawFulfillRandomWords(id, words);
        vm.startPrank(address(coordinator));
        vm.expectRevert(abi.encodeWithSelector(VRFRandomness.UnknownRequest.selector, id + 1));
        source.rawFulfillRandomWords(id + 1, words);
        source.rawFulfillRandomWords(id, words);
        words[0] = 1;
        vm.expectRevert(abi.encodeWithSelector(VRFRandomness.UnknownRequest.selector, id));
        source.rawFulfillRandomWords(id, words);
        vm.stopPrank();
        assertEq(source.wordOf(address(task), round), bytes32(WORD));
    }

    function test_only_the_owner_says_whose_words_its_subscription_pays() public {
        vm.prank(stranger);
        vm.expectRevert(abi.encodeWithSelector(VRFRandomness.NotOwner.selector, stranger, address(this)));
        source.authorise(stranger);
        vm.expectRevert(abi.encodeWithSelector(VRFRandomness.NotAuthorised.selector, stranger));
        source.request(stranger, 1);
    }

    function test_there_is_no_word_for_a_round_that_is_not_there_empty_or_void() public {
        _start(4);
        _expectNothing(1);
        source.request(address(task), 1);
        uint32 round = _open();
        skip(COMMIT + 1);
        _expectNothing(round);
        source.request(address(task), round);
        task.voidRound(round);
        _expectNothing(round);
        source.request(address(task), round);
    }

    function test_round_whose_word_never_comes_is_void_after_its_deadline_and_locks_nothing() public {
        _start(4);
        uint32 round = _playToReveal(4);
        source.request(address(task), round);
        IFederatedTask.Round memory r = task.roundOf(round);
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.DeadlineNotReached.selector, r.settleDeadline));
        task.voidRound(round);
        vm.warp(r.settleDeadline + 1);
        vm.prank(stranger);
        task.voidRound(round);
        assertEq(task.pool(), POOL);
        vm.prank(requester);
        task.completeTask();
        task.withdraw(_who(4));
        task.withdraw(_list(requester));
        assertEq(token.balanceOf(address(task)), 0);
    }

    function test_word_that_comes_after_the_round_is_void_changes_nothing() public {
        _start(4);
        uint32 round = _playToReveal(4);
        uint256 id = source.request(address(task), round);
        vm.warp(task.roundOf(round).settleDeadline + 1);
        task.voidRound(round);
        _fulfil(id);
        int256[] memory scores = _rightScores(4);
        vm.expectPartialRevert(IFederatedTask.WrongRoundStatus.selector);
        _post(round, _who(4), scores);
    }

    function test_gas_of_the_callback_is_below_its_limit() public {
        _start(4);
        uint256 id = source.request(address(task), _playToReveal(4));
        uint256[] memory words = _words();
        vm.prank(address(coordinator));
        uint256 before = gasleft();
        source.rawFulfillRandomWords(id, words);
        assertLt(before - gasleft(), CALLBACK_GAS);
    }

    function _draw(uint32 round) private {
        _fulfil(source.request(address(task), round));
    }

    function _fulfil(uint256 id) private {
        coordinator.fulfillRandomWordsWithOverride(id, address(source), _words());
    }

    function _words() private pure returns (uint256[] memory words) {
        words = new uint256[](1);
        words[0] = WORD;
    }

    function _expectMissing(uint32 round) private {
        vm.expectRevert(abi.encodeWithSelector(IRandomness.WordMissing.selector, task, round));
    }

    function _expectNotOver(uint32 round) private {
        uint64 deadline = task.roundOf(round).revealDeadline;
        vm.expectRevert(abi.encodeWithSelector(VRFRandomness.RevealsNotOver.selector, task, round, deadline));
    }

    function _expectNothing(uint32 round) private {
        vm.expectRevert(abi.encodeWithSelector(VRFRandomness.NothingToDraw.selector, task, round));
    }

    function _expectLate(uint32 round) private {
        uint64 deadline = task.roundOf(round).revealDeadline;
        vm.expectRevert(abi.encodeWithSelector(IFederatedTask.RevealPhaseClosed.selector, round, deadline));
    }
}
