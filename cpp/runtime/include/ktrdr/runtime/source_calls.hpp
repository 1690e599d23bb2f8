#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <ktrdr/base/export.hpp>
#include <ktrdr/base/live.hpp>
#include <ktrdr/data/bar_source.hpp>
#include <ktrdr/data/series_words.hpp>
#include <ktrdr/market/bars_view.hpp>
#include <ktrdr/runtime/mailbox.hpp>
#include <ktrdr/runtime/runtime.hpp>

namespace ktrdr {

/// What a source has answered to a fetch, as callers in Python take it.
struct SourceReply {
    BarsView bars{};
    std::string partial{};
    std::vector<SourceAnswer::DroppedRow> dropped{};
};

/// A `BarSource` for callers that are not on the io thread: answers come as mail. The token that a call answers is a
/// child of the one it was given, and stops it. The symbol of a series is asked for as it is. What the source warns of
/// while it works comes before the reply, as parts of it: texts.
///
/// Errors (thrown, before anything is asked): `invalid_argument` for a timeframe or words that cannot be, and a kind of
/// bars that the source does not have.
/// Thread safety: every member from any thread.
class KTRDR_EXPORT SourceCalls final : private Counted<SourceCalls> {
public:
    SourceCalls(Runtime& runtime, std::shared_ptr<BarSource> source) : runtime_(runtime), source_(std::move(source)) {}

    [[nodiscard]] std::string provider() const { return source_->provider(); }
    [[nodiscard]] SourceLimits describe(const Timeframe& timeframe) const { return source_->describe(timeframe); }
    /// The reply is an object: asset_class, exchange and currency, each empty where the provider does not say.
    CancellationToken validate_symbol(SeriesRequest series, const CancellationToken& parent,
                                      std::shared_ptr<Mailbox> mailbox, std::uint64_t key);
    /// The reply is nanoseconds since 1970, or null.
    CancellationToken first_timestamp(SeriesRequest series, const CancellationToken& parent,
                                      std::shared_ptr<Mailbox> mailbox, std::uint64_t key);
    /// The reply is a `SourceReply`. Errors: `invalid_argument` for an empty range.
    CancellationToken fetch(SeriesRequest series, TimeRange range, const CancellationToken& parent,
                            std::shared_ptr<Mailbox> mailbox, std::uint64_t key);

private:
    struct Asked {
        std::string symbol;
        Timeframe timeframe;
        SourceCall call;
    };
    [[nodiscard]] Asked asked(SeriesRequest series, const CancellationToken& parent);
    /// Have `work(source, asked)`, a coroutine, answer.
    template <class Work>
    CancellationToken ask(SeriesRequest series, const CancellationToken& parent, std::shared_ptr<Mailbox> mailbox,
                          std::uint64_t key, Work work);

    Runtime& runtime_;
    const std::shared_ptr<BarSource> source_;
};

}  // namespace ktrdr
