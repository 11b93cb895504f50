// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {NaivePeerTruthSerum} from "./NaivePeerTruthSerum.sol";

/// @title The weighted peer truth serum with its qualities and its calibration, counted out label by label.
/// @dev Slow on purpose, and sharing nothing with the libraries but the formulas in their documentation.
library NaiveWeightedPeerTruthSerum {
    struct Game {
        uint256 classes;
        uint256 tasks;
        uint256 deviations;
        bool weighted;
    }

    function score(bytes[] memory reports, bytes memory calibration, Game memory g)
        internal
        pure
        returns (int256[] memory scores, uint256[] memory qualities)
    {
        bool[] memory usable = _usable(reports, calibration, g);
        bytes[] memory peers = _pick(reports, usable);
        int256[] memory peerScores = NaivePeerTruthSerum.score(peers, g.classes);
        uint256[] memory votes = new uint256[](peers.length);
        for (uint256 i; i < peers.length; ++i) {
            votes[i] = g.weighted && peerScores[i] > 0 ? uint256(peerScores[i]) / 1e12 : 0;
        }
        uint256[] memory agreements = _agreements(peers, _atLeastOne(votes), g);
        if (g.weighted) peerScores = _weighted(peers, _weights(agreements, g), g);

        scores = new int256[](reports.length);
        qualities = new uint256[](reports.length);
        uint256 next;
        for (uint256 i; i < reports.length; ++i) {
            if (!usable[i]) continue;
            scores[i] = peerScores[next];
            qualities[i] = agreements[next] * 1 ether / g.tasks;
            ++next;
        }
    }

    function _usable(bytes[] memory reports, bytes memory calibration, Game memory g)
        private
        pure
        returns (bool[] memory)
    {
        bool[] memory formed = new bool[](reports.length);
        bool[] memory above = new bool[](reports.length);
        bool any;
        for (uint256 i; i < reports.length; ++i) {
            formed[i] = reports[i].length == g.tasks;
            for (uint256 t; t < reports[i].length; ++t) {
                if (uint8(reports[i][t]) >= g.classes) formed[i] = false;
            }
            above[i] = formed[i] && g.weighted && _isAboveChance(reports[i], calibration, g);
            any = any || above[i];
        }
        return any ? above : formed;
    }

    function _isAboveChance(bytes memory report, bytes memory calibration, Game memory g) private pure returns (bool) {
        int256 hits;
        int256 items;
        for (uint256 c; c + 3 <= calibration.length; c += 3) {
            uint256 task = uint256(uint8(calibration[c])) * 256 + uint8(calibration[c + 1]);
            if (task >= g.tasks || uint8(calibration[c + 2]) >= g.classes) continue;
            ++items;
            if (report[task] == calibration[c + 2]) ++hits;
        }
        int256 excess = hits * int256(g.classes) - items;
        return excess > 0 && excess * excess > int256(g.deviations * g.deviations * (g.classes - 1)) * items;
    }

    function _pick(bytes[] memory reports, bool[] memory usable) private pure returns (bytes[] memory peers) {
        uint256 count;
        for (uint256 i; i < usable.length; ++i) {
            if (usable[i]) ++count;
        }
        peers = new bytes[](count);
        for (uint256 i = usable.length; i > 0; --i) {
            if (usable[i - 1]) peers[--count] = reports[i - 1];
        }
    }

    function _atLeastOne(uint256[] memory votes) private pure returns (uint256[] memory) {
        for (uint256 i; i < votes.length; ++i) {
            if (votes[i] > 0) return votes;
        }
        for (uint256 i; i < votes.length; ++i) {
            votes[i] = 1;
        }
        return votes;
    }

    function _agreements(bytes[] memory peers, uint256[] memory votes, Game memory g)
        private
        pure
        returns (uint256[] memory agreements)
    {
        agreements = new uint256[](peers.length);
        for (uint256 t; peers.length > 0 && t < g.tasks; ++t) {
            uint256 winner = t % g.classes;
            for (uint256 around = 1; around < g.classes; ++around) {
                uint256 k = (t + around) % g.classes;
                if (_votes(peers, votes, t, k) > _votes(peers, votes, t, winner)) winner = k;
            }
            for (uint256 i; i < peers.length; ++i) {
                if (uint8(peers[i][t]) == winner) ++agreements[i];
            }
        }
    }

    function _votes(bytes[] memory peers, uint256[] memory weights, uint256 t, uint256 k)
        private
        pure
        returns (uint256 sum)
    {
        for (uint256 i; i < peers.length; ++i) {
            if (uint8(peers[i][t]) == k) sum += weights[i];
        }
    }

    function _weights(uint256[] memory agreements, Game memory g) private pure returns (uint256[] memory weights) {
        weights = new uint256[](agreements.length);
        for (uint256 i; i < agreements.length; ++i) {
            int256 above = int256(g.classes * agreements[i]) - int256(g.tasks);
            if (above > 0) weights[i] = uint256(above) * 1e6 / ((g.classes - 1) * g.tasks);
        }
    }

    function _weighted(bytes[] memory peers, uint256[] memory weights, Game memory g)
        private
        pure
        returns (int256[] memory scores)
    {
        uint256 n = peers.length;
        scores = new int256[](n);
        for (uint256 i; i < n && n > 2; ++i) {
            uint256 total;
            for (uint256 j; j < n; ++j) {
                if (j != i) total += weights[j];
            }
            if (total == 0) continue;
            scores[i] = -1 ether;
            for (uint256 k; k < g.classes; ++k) {
                scores[i] += int256(_term(peers, weights, i, k, total, g));
            }
        }
    }

    function _term(
        bytes[] memory peers,
        uint256[] memory weights,
        uint256 i,
        uint256 k,
        uint256 total,
        Game memory g
    ) private pure returns (uint256) {
        uint256 agreed;
        uint256 byPeers;
        for (uint256 j; j < peers.length; ++j) {
            if (j == i) continue;
            for (uint256 t; t < g.tasks; ++t) {
                if (uint8(peers[j][t]) != k) continue;
                byPeers += weights[j];
                if (uint8(peers[i][t]) == k) agreed += weights[j];
            }
        }
        return agreed * (g.tasks + g.classes) * 1 ether / ((byPeers + total) * g.tasks);
    }
}
