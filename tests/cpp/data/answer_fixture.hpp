#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <string>

#include <ktrdr/base/json.hpp>
#include <ktrdr/data/ib_answers.hpp>

#include "times.hpp"

namespace ktrdr {

/// Equal bit for bit: zeros have signs.
inline bool same_bits(const Bars& a, const Bars& b) {
    const auto same = [](const auto& x, const auto& y) {
        return x.size() == y.size() && (x.empty() || std::memcmp(x.data(), y.data(), x.size() * sizeof(x[0])) == 0);
    };
    return same(a.time, b.time) && same(a.open, b.open) && same(a.high, b.high) && same(a.low, b.low) &&
           same(a.close, b.close) && same(a.volume, b.volume);
}

/// What an answer comes to, for comparing: its bars, or its error.
inline void expect_same(const Result<SourceAnswer>& one, const Result<SourceAnswer>& other, const std::string& what) {
    ASSERT_EQ(one.has_value(), other.has_value())
        << what << ": " << (one ? other.error().message : one.error().message);
    if (!one) {
        EXPECT_EQ(one.error().message, other.error().message) << what;
        EXPECT_EQ(one.error().code, other.error().code) << what;
        return;
    }
    EXPECT_TRUE(same_bits(one->bars, other->bars)) << what;
    EXPECT_EQ(one->partial, other->partial) << what;
    EXPECT_EQ(one->dropped, other->dropped) << what;
}

/// Minutes of 2020.
inline BarsWanted minutes_of_2020() {
    return {BarGrid(Timeframe::parse("1m").value()), {at("2020-01-01"), at("2021-01-01")}, at("2024-01-01"), {}};
}

}  // namespace ktrdr
