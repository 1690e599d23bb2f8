#pragma once

#include <boost/json/value.hpp>
#include <optional>

#include <ktrdr/base/clock.hpp>

namespace ktrdr {

/// Where bars begin, as hosts and Interactive Brokers itself write it: ISO 8601; `20040323-14:30:00`, which is UTC;
/// `20040323 14:30:00` and `20040323`, with the name of a zone behind it or without one (UTC); a zone behind ISO 8601;
/// seconds or milliseconds since 1970, as a number or a text. Nothing for anything else.
///
/// A time of New York's clock is converted. Of any other zone it is taken as if it were the furthest east of all: the
/// value is a hint, and one that is some hours too early hides no bar.
[[nodiscard]] std::optional<UtcTime> read_head_time(const boost::json::value& value);

}  // namespace ktrdr
