#pragma once

#include <boost/json/value.hpp>
#include <optional>
#include <string>
#include <string_view>

#include <ktrdr/base/export.hpp>
#include <ktrdr/base/result.hpp>
#include <ktrdr/calendar/bar_grid.hpp>
#include <ktrdr/cancellation/token.hpp>
#include <ktrdr/data/bar_source.hpp>
#include <ktrdr/market/bars.hpp>

/// Reading what the IB host service answers (the wire contract), without a socket in sight.
///
/// `asked` is what was asked, for messages: `POST http://localhost:5001/data/validate`.
/// Errors: `host_service` when the service says that it failed, `protocol` for an answer that breaks the contract.
namespace ktrdr {

/// What the answer's `contract_info` says, in our words; `symbol_unknown` when the symbol is not valid.
[[nodiscard]] KTRDR_EXPORT Result<Contract> read_validation(const boost::json::value& answer, const std::string& symbol,
                                                            const std::string& asked);

/// Unset when the service does not know it.
[[nodiscard]] KTRDR_EXPORT Result<std::optional<UtcTime>> read_head_timestamp(const boost::json::value& answer,
                                                                              const std::string& asked);

/// What an answer of bars has to be cut to.
struct BarsWanted {
    BarGrid grid;
    TimeRange segment{};
    /// Bars that are not closed at that time are dropped.
    UtcTime now{};
    /// What the service was asked for, where that is more than the segment; empty where it is not.
    TimeRange asked{};
    /// Of other bars than the usual ones the answer has to say that it brings them, in `what_to_show` and `session`.
    SeriesKind kind{};
};

/// The bars of an answer: sorted, of two with one stamp the later, inside the segment, closed.
///
/// A row without its prices is dropped and named, a volume that is missing is -1. An answer is partial when it says so
/// (an error text beside `success: true`), when `rows` tells of more than came, and when a row has a stamp that is no
/// time. A failure that says that there is no data is an answer of none. Errors: `protocol` also for rows of which none
/// lies inside the segment. Cancellation: polls `token` every 100 bars.
[[nodiscard]] KTRDR_EXPORT Result<SourceAnswer> read_historical(const boost::json::value& answer,
                                                                const BarsWanted& wanted, const std::string& asked,
                                                                const CancellationToken& token);

/// The same of the text of an answer, where it is written as services write it: bars oldest first, each with its five
/// numbers in the order open, high, low, close, volume. It is read where it stands, without a value made of it; nothing
/// for what is written otherwise, which `read_historical` reads, and takes for the same bars. Cost: one pass.
[[nodiscard]] KTRDR_EXPORT std::optional<Result<SourceAnswer>> read_usual_historical(std::string_view body,
                                                                                     const BarsWanted& wanted,
                                                                                     const std::string& asked,
                                                                                     const CancellationToken& token);

/// Bars that came as an Arrow stream: of a service that says no more than the bars, for it gives such a stream where
/// all of them came, and JSON where they did not. Nor does it say which it brings: the usual ones, or it is refused.
///
/// A row without its prices is dropped and named, a volume that is missing is -1. The answer is partial where a row has
/// no stamp, and where the stream ends without the mark of its end. Errors: `protocol`, which names what came.
[[nodiscard]] KTRDR_EXPORT Result<SourceAnswer> read_historical_arrow(std::string_view stream, const BarsWanted& wanted,
                                                                      const std::string& asked,
                                                                      const CancellationToken& token);

}  // namespace ktrdr
