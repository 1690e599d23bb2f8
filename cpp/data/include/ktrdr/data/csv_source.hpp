#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <ktrdr/base/clock.hpp>
#include <ktrdr/base/executor.hpp>
#include <ktrdr/base/export.hpp>
#include <ktrdr/base/live.hpp>
#include <ktrdr/data/bar_source.hpp>

namespace ktrdr {

/// Bars from a folder of CSV files, one a series: `{SYMBOL}_{timeframe}.csv`, as `CsvReader` reads them.
///
/// What a file's name cannot hold stands in it as in a URL (`BTC%2FUSDT_1h.csv`); letters count as they are. A file is
/// read anew for each question, so that one that was replaced is seen. A last bar that is not closed yet is left out.
///
/// Errors: `symbol_unknown` where there is no file, naming those that there are; those of `CsvFile::read`, naming file,
/// line and column: of a file that is broken anywhere, no bar is given.
/// Cancellation: between pieces of a megabyte.
/// Thread safety: coroutines run on the io thread, files are read on `compute`; it and the clock must outlive the
/// source.
class KTRDR_EXPORT CsvSource final : public BarSource, private Counted<CsvSource> {
public:
    /// `provider`: under which its bars are stored. Errors: `not_found` where there is no such folder,
    /// `invalid_argument` for an impossible provider.
    [[nodiscard]] static Result<std::shared_ptr<CsvSource>> open(std::filesystem::path folder, std::string provider,
                                                                 Executor& compute, const Clock& clock);

    [[nodiscard]] std::string provider() const override { return provider_; }
    /// A file is read whole, so the whole of it is asked for at once.
    [[nodiscard]] SourceLimits describe(const Timeframe& timeframe) const override;
    [[nodiscard]] boost::asio::awaitable<Result<Contract>> validate_symbol(std::string symbol, Timeframe timeframe,
                                                                           SourceCall call) override;
    [[nodiscard]] boost::asio::awaitable<Result<std::optional<UtcTime>>> first_timestamp(std::string symbol,
                                                                                         Timeframe timeframe,
                                                                                         SourceCall call) override;
    [[nodiscard]] boost::asio::awaitable<Result<SourceAnswer>> fetch(std::string symbol, Timeframe timeframe,
                                                                     TimeRange segment, SourceCall call) override;

private:
    CsvSource(std::filesystem::path folder, std::string provider, Executor& compute, const Clock& clock)
        : folder_(std::move(folder)), provider_(std::move(provider)), compute_(compute), clock_(clock) {}

    const std::filesystem::path folder_;
    const std::string provider_;
    Executor& compute_;
    const Clock& clock_;
};

}  // namespace ktrdr
