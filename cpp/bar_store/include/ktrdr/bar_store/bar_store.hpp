#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <ktrdr/base/export.hpp>
#include <ktrdr/base/result.hpp>
#include <ktrdr/market/bars.hpp>
#include <ktrdr/market/timeframe.hpp>
#include <ktrdr/storage/database.hpp>

namespace ktrdr {

/// What makes two series the same one.
struct SeriesKey {
    std::string provider{};
    std::string symbol{};
    Timeframe timeframe;
    std::string what_to_show{"TRADES"};
    std::string session{"regular"};

    friend bool operator==(const SeriesKey&, const SeriesKey&) = default;
};

/// What came of asking a provider for a range.
enum class AskOutcome {
    bars,
    /// Asked, and the provider confirmed that there is nothing, or no more than is stored.
    empty,
    /// Asked, and what should or could be there did not come. It is asked for again; a second same answer confirms it.
    unconfirmed,
    /// The provider answered, but with an error.
    failed,
    /// The provider said that this account may not have it.
    denied,
};

[[nodiscard]] KTRDR_EXPORT std::string_view to_string(AskOutcome outcome) noexcept;

/// What the ledger says of a range. Of one answer there may be several: of what it proves, and of what it does not.
struct LedgerEntry {
    TimeRange range{};
    AskOutcome outcome{AskOutcome::bars};
    UtcTime asked_at{};

    friend bool operator==(const LedgerEntry&, const LedgerEntry&) = default;
};

/// The oldest bar a provider has of a series, `time` unset when it does not know, and when it said so.
struct FirstTimestamp {
    std::optional<UtcTime> time{};
    UtcTime asked_at{};

    friend bool operator==(const FirstTimestamp&, const FirstTimestamp&) = default;
};

/// What a provider says of what a symbol stands for, in the words of data.md: `stock`, `forex`, `crypto`, …; each empty
/// where it does not say.
struct Contract {
    std::string asset_class{};
    std::string exchange{};
    std::string currency{};

    friend bool operator==(const Contract&, const Contract&) = default;
};

/// The provider has re-based its history: prices from `at` on are `ratio` times what the bars stored before would be.
struct BasisBreak {
    UtcTime at{};
    double ratio{1.0};
    UtcTime found_at{};

    friend bool operator==(const BasisBreak&, const BasisBreak&) = default;
};

/// All that is known of a series beside its bars, in one snapshot.
struct SeriesFacts {
    /// When the provider last said that it knows the symbol; unset when it never did.
    std::optional<UtcTime> symbol_checked_at{};
    Contract contract{};
    std::optional<FirstTimestamp> first_timestamp{};
    /// The stamp of the newest stored bar; unset when there is none.
    std::optional<UtcTime> newest_bar{};
    /// Oldest answer first.
    std::vector<LedgerEntry> ledger{};
    /// By place.
    std::vector<BasisBreak> breaks{};
};

/// What became of bars that were put over those stored.
struct MergedRows {
    std::size_t added{0};
    /// Their stamps were stored before, with whatever numbers.
    std::size_t replaced{0};

    friend bool operator==(const MergedRows&, const MergedRows&) = default;
};

/// What an answer brought and proved, ready to be stored.
struct Segment {
    /// Bars lie in it, and entries.
    TimeRange range{};
    Bars bars{};
    std::vector<LedgerEntry> entries{};
    /// Breaks of the basis that lie there are none any more, but for those found now.
    TimeRange one_basis{};
    std::vector<BasisBreak> breaks{};
};

/// What became of a segment.
struct CommittedSegment {
    MergedRows rows{};
    /// Of its entries those that stayed unconfirmed.
    std::vector<TimeRange> unconfirmed{};
};

/// A series that has bars.
struct StoredSeries {
    SeriesKey key;
    std::size_t bars{0};
    /// The starts of its oldest and its newest bar.
    UtcTime first{};
    UtcTime last{};

    friend bool operator==(const StoredSeries&, const StoredSeries&) = default;
};

/// Bars in chunks and the ledger of asked ranges, in the file of `storage`.
///
/// A chunk holds a year of an intraday series or the whole of a longer one, as columns of little-endian numbers with a
/// checksum. Bars and ledger of a segment change in one transaction, so neither a crash nor a full disk leaves one
/// without the other.
///
/// Errors: those of `Database`; a chunk that is damaged is `storage`, naming series and chunk.
/// Thread safety: every member from any thread; each blocks on the disk. Writers of one series may overlap: each merges
/// into what is there.
class KTRDR_EXPORT BarStore final {
public:
    [[nodiscard]] static Result<std::shared_ptr<BarStore>> open(std::filesystem::path file,
                                                                DatabaseOptions options = {});
    /// For a database that several rooms share.
    [[nodiscard]] static Schema schema() noexcept;
    /// `database` was opened with `schema()`.
    explicit BarStore(std::shared_ptr<Database> database) : database_(std::move(database)) {}

    /// The stored bars that start inside `range`; none is not an error.
    [[nodiscard]] Result<Bars> read(const SeriesKey& key, TimeRange range);
    [[nodiscard]] Result<SeriesFacts> facts(const SeriesKey& key);

    /// Store an answer, together or not at all: its bars (merged over what is there, which keeps its rows where the
    /// answer has none), its entries and its breaks. An entry takes the place of what was said of its range, but one of
    /// bars or empty stays until another covers it.
    ///
    /// An unconfirmed entry is stored as empty where answers from before `load_began` said the same of all of it, this
    /// one brought no bar that was not stored, and the range was over for a day: a feed may lag, or have nothing for a
    /// while. `invalid_argument` for bars out of order or outside the range.
    Result<CommittedSegment> commit_segment(const SeriesKey& key, const Segment& segment,
                                            UtcTime load_began = UtcTime::min());
    /// The same with one entry for all of `range`.
    Result<void> commit_segment(const SeriesKey& key, TimeRange range, const Bars& bars, AskOutcome outcome,
                                UtcTime asked_at);
    /// Store bars that nobody was asked for, over what is there as `commit_segment` does, together or not at all; and
    /// that `covered` need not be asked for. `poll` is told how many bars are written and undoes all by an error.
    /// `invalid_argument` for bars out of order, or for ranges that are empty.
    Result<MergedRows> store_own(const SeriesKey& key, const Bars& bars, std::span<const TimeRange> covered,
                                 UtcTime stored_at, const std::function<Result<void>(std::size_t)>& poll = {});
    /// Every series with bars, by provider, symbol and length of the bars.
    [[nodiscard]] Result<std::vector<StoredSeries>> list();
    Result<void> remember_symbol(const SeriesKey& key, UtcTime checked_at, const Contract& contract = {});
    Result<void> remember_first_timestamp(const SeriesKey& key, const FirstTimestamp& first);

    [[nodiscard]] const std::filesystem::path& file() const noexcept { return database_->file(); }

private:
    const std::shared_ptr<Database> database_;
};

}  // namespace ktrdr
