#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <ktrdr/base/executor.hpp>
#include <ktrdr/base/export.hpp>
#include <ktrdr/base/result.hpp>
#include <ktrdr/market/bar_revision.hpp>
#include <ktrdr/market/bars.hpp>
#include <ktrdr/market/csv_style.hpp>
#include <ktrdr/market/timeframe.hpp>
#include <ktrdr/storage/database.hpp>
#include <ktrdr/storage/file_lease.hpp>

namespace ktrdr {

/// What makes two series the same one. Adjusted bars are those whose `what_to_show` says so (`ADJUSTED_LAST`).
struct SeriesKey {
    std::string provider{};
    std::string symbol{};
    Timeframe timeframe;
    std::string what_to_show{"TRADES"};
    std::string session{"regular"};
    /// Of the contract, in the words of `Contract`; each empty where nobody has said.
    std::string asset_class{};
    std::string exchange{};
    std::string currency{};

    friend bool operator==(const SeriesKey&, const SeriesKey&) = default;
};

/// Its parts, those that nobody has said left out: `IB EURUSD 1h MIDPOINT regular forex IDEALPRO USD`.
[[nodiscard]] KTRDR_EXPORT std::string to_string(const SeriesKey& key);
/// Whether two words may stand for one asset class: equal, one of them empty, or a stock and a fund that is traded as
/// one.
[[nodiscard]] KTRDR_EXPORT bool may_be_same_class(std::string_view one, std::string_view other) noexcept;

/// What came of asking a provider for a range.
enum class AskOutcome {
    bars,
    /// Asked, and the provider confirmed that there is nothing, or no more than is stored.
    empty,
    /// Asked, and what should or could be there did not come; it may have been cut off. It is asked for again.
    unconfirmed,
    /// The same, but the answer shows that it would have more if there were any. Said again by another load, it is
    /// empty.
    silent,
    /// The provider answered, but with an error.
    failed,
    /// The provider said that this account may not have it.
    denied,
};

[[nodiscard]] KTRDR_EXPORT std::string_view to_string(AskOutcome outcome) noexcept;
/// Asked for, and neither there nor confirmed to be nowhere.
[[nodiscard]] constexpr bool did_not_come(AskOutcome outcome) noexcept {
    return outcome == AskOutcome::unconfirmed || outcome == AskOutcome::silent;
}

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

/// Whether the series may be one of that contract: what both say of asset class and currency does not differ.
[[nodiscard]] KTRDR_EXPORT bool fits(const SeriesKey& key, const Contract& contract) noexcept;

/// What is known under a name before anything is asked.
struct KnownSeries {
    /// Those that have bars.
    std::vector<SeriesKey> stored{};
    /// What the provider said that the symbol stands for, the newest answer first.
    std::vector<Contract> contracts{};
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
    /// When the provider last said that it knows the symbol; unset when it never did, and where it has told of several
    /// contracts and the key does not say which.
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
    /// Of those, with other numbers.
    std::size_t revised{0};

    friend bool operator==(const MergedRows&, const MergedRows&) = default;
};

/// What made a change.
enum class ChangeCause {
    /// An answer of a provider.
    loaded,
    /// Bars that somebody brought, or mended.
    stored,
    /// Somebody had them forgotten.
    forgotten,
};

[[nodiscard]] KTRDR_EXPORT std::string_view to_string(ChangeCause cause) noexcept;

/// What an answer brought and proved, ready to be stored.
struct Segment {
    /// Bars lie in it, and entries.
    TimeRange range{};
    Bars bars{};
    std::vector<LedgerEntry> entries{};
    /// Breaks of the basis that lie there are none any more, but for those found now.
    std::vector<TimeRange> one_basis{};
    std::vector<BasisBreak> breaks{};
    /// Numbers of stored bars that came beside them, and are others: what is stored stays, and these are kept beside
    /// it.
    std::vector<BarRevision> revisions{};
    /// Where earlier ones of those count no more, for the provider has given its bars anew.
    std::vector<TimeRange> told_anew{};
    /// What a write of it is that changes bars.
    ChangeCause cause{ChangeCause::loaded};
};

/// What became of a segment.
struct CommittedSegment {
    MergedRows rows{};
    /// Of its entries those that stayed unconfirmed.
    std::vector<TimeRange> unconfirmed{};
};

/// A write that changed or removed bars, and can be undone.
struct SeriesChange {
    TimeRange range{};
    ChangeCause cause{ChangeCause::loaded};
    UtcTime changed_at{};
    std::size_t added{0};
    /// Their numbers became others.
    std::size_t revised{0};
    std::size_t removed{0};

    friend bool operator==(const SeriesChange&, const SeriesChange&) = default;
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

/// What is stored of a range, without reading its bars.
struct SeriesStamp {
    /// Bars of the blocks that have some of the range: no fewer than the range has.
    std::size_t bars{0};
    /// Another one whenever bars of those blocks, or the basis breaks of the series, are others. Blocks that were only
    /// written anew may have another one, too.
    std::string version{};

    friend bool operator==(const SeriesStamp&, const SeriesStamp&) = default;
};

/// Something in the file that cannot be what was written.
struct BarDamage {
    /// Unset where it is of no one series.
    std::optional<SeriesKey> series{};
    /// As messages name it: `the chunk of 2024-01`. Empty where it is none of one chunk.
    std::string chunk{};
    std::string what{};
};

/// What was read, and what of it is damaged: of that the first 1000.
struct BarCheck {
    std::size_t series{0};
    std::size_t chunks{0};
    std::size_t bars{0};
    std::size_t ledger_entries{0};
    /// Earlier ones, of chunks.
    std::size_t versions{0};
    std::vector<BarDamage> damage{};
};

/// What a file took on the disk before its old versions and empty pages went, and takes since, its log too.
struct Compacted {
    std::uintmax_t bytes_before{0};
    std::uintmax_t bytes_after{0};
    /// Changes that cannot be undone any more.
    std::size_t changes_freed{0};
};

/// Bars in chunks and the ledger of asked ranges, in the file of `storage`.
///
/// A chunk holds a month of a series of 1m to 5m, a year of a longer intraday one or the whole of any other. It is
/// stored in blocks of at most 1,024 bars, each columns of little-endian numbers with a checksum, so that a further bar
/// writes one block. Bars and ledger of a segment change in one transaction, so neither a crash nor a full disk leaves
/// one without the other.
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

    /// The stored bars that start inside `range`, as they are at one moment; none is not an error. A long series is
    /// read on the threads of `helpers`, too, where there are any. Cancellation: an error of `poll`, which several
    /// threads may ask then.
    [[nodiscard]] Result<Bars> read(const SeriesKey& key, TimeRange range, const Database::Poll& poll = {},
                                    Executor* helpers = nullptr);
    /// Cost: one row of the index a block, some 1,024 bars.
    [[nodiscard]] Result<SeriesStamp> stamp(const SeriesKey& key, TimeRange range);
    [[nodiscard]] Result<SeriesFacts> facts(const SeriesKey& key);
    [[nodiscard]] Result<KnownSeries> known(const std::string& provider, const std::string& symbol,
                                            const Timeframe& timeframe);
    /// Let a series go by another key from now on, where it is stored and no other goes by that.
    Result<void> rename(const SeriesKey& key, const SeriesKey& to);

    /// Store an answer, together or not at all: its bars (merged over what is there, which keeps its rows where the
    /// answer has none), its entries and its breaks. An entry takes the place of what was said of its range, but one of
    /// bars or empty stays until another covers it.
    ///
    /// A silent entry is stored as empty where answers from before `load_began` were silent of all of it, too: a feed
    /// may have nothing for a while. Before its range was over for a day it is stored as unconfirmed: a feed may lag.
    /// `invalid_argument` for bars out of order or outside the range.
    Result<CommittedSegment> commit_segment(const SeriesKey& key, const Segment& segment,
                                            UtcTime load_began = UtcTime::min());
    /// The same with one entry for all of `range`.
    Result<MergedRows> commit_segment(const SeriesKey& key, TimeRange range, const Bars& bars, AskOutcome outcome,
                                      UtcTime asked_at);
    /// Store bars that nobody was asked for, over what is there as `commit_segment` does, together or not at all; and
    /// that `covered` need not be asked for. `poll` is told how many bars are written and undoes all by an error.
    /// `invalid_argument` for bars out of order, or for ranges that are empty. With `poll` they are on the disk then,
    /// and in the log of the file: `settle` puts them into it.
    Result<MergedRows> store_own(const SeriesKey& key, const Bars& bars, std::span<const TimeRange> covered,
                                 UtcTime stored_at, const std::function<Result<void>(std::size_t)>& poll = {});
    /// What stored bars leave to be done when nobody waits for them any more. It takes as long as a slow disk does.
    Result<void> settle() { return database_->put_log_away(); }
    /// Every series with bars, by provider, symbol and length of the bars.
    [[nodiscard]] Result<std::vector<StoredSeries>> list();
    /// How the file of the series' bars that was imported last writes numbers; the default where none was.
    [[nodiscard]] Result<CsvStyle> csv_style(const SeriesKey& key);
    /// Of a series that is stored; else nothing is kept.
    Result<void> remember_csv_style(const SeriesKey& key, const CsvStyle& style);
    Result<void> remember_symbol(const SeriesKey& key, UtcTime checked_at, const Contract& contract = {});
    Result<void> remember_first_timestamp(const SeriesKey& key, const FirstTimestamp& first);

    /// The writes that can be undone, the newest first. One that changed or removed bars keeps what was in the chunks
    /// that it touched, the last three versions of each; one that only adds bars keeps nothing.
    [[nodiscard]] Result<std::vector<SeriesChange>> changes(const SeriesKey& key);
    /// Put back what was in the range of the newest of `changes` before it, bars and ledger; bars that came later and
    /// lie beside that range stay. A chunk that is damaged becomes what it was then, and what came since is not in the
    /// ledger any more, so that the next load asks for it. `not_found` when there is no such change.
    Result<SeriesChange> undo(const SeriesKey& key);
    /// Other numbers that the provider gave for these bars, which are stored ones of the series, by time: those that
    /// came since and were not taken; and those that answers of it have replaced, as far as `changes` has the write, of
    /// each bar the newest. An earlier version that is damaged tells of none. Cost: that of the versions kept.
    [[nodiscard]] Result<std::vector<BarRevision>> revisions(const SeriesKey& key, const Bars& stored,
                                                             const Database::Poll& poll = {});
    /// Drop the bars that start inside `range`, and what the ledger says of it; how many bars that were. It can be
    /// undone, but for damaged chunks. `invalid_argument` for an empty range.
    Result<std::size_t> forget(const SeriesKey& key, TimeRange range, UtcTime at);
    /// Drop all of a series, its versions too; how many bars that were. `not_found` when there is nothing of it.
    Result<std::size_t> remove(const SeriesKey& key);

    /// Keep others, in this process and in every other, from asking for bars of `range` at the same time, while the
    /// lease lives. Null while another has a lease on any of it: who waits for that looks again, and then reads the
    /// ledger anew, for the other has stored what it asked for. A holder that dies has let go. Nothing is written, and
    /// no other call of this class minds leases. Ranges are held in whole seconds.
    [[nodiscard]] Result<std::unique_ptr<FileLease>> lease(const SeriesKey& key, TimeRange range);

    /// Told how much of the bars is read, and of how much, in blocks.
    using OnChunks = std::function<void(std::size_t, std::size_t)>;
    /// Read the whole file: SQLite's own check, then every chunk and version (checksum, order, count, ends), and the
    /// ledger against the bars. Errors are damage too, where something could be read before them. Cost: the size of the
    /// file. Cancellation: an error of `poll`.
    [[nodiscard]] Result<BarCheck> verify(const Database::Poll& poll = {}, const OnChunks& on_chunks = {},
                                          const Database::OnReading& on_reading = {});
    /// Free the earlier versions, after which nothing can be undone, and give the space to the disk; others may write
    /// meanwhile. Files that are too old for that need room for a copy, and nobody else who writes.
    /// Cancellation: as `verify`; the versions are all there or all gone then, and what space was given back stays so.
    Result<Compacted> compact(const Database::Poll& poll = {});

    [[nodiscard]] const std::filesystem::path& file() const noexcept { return database_->file(); }

private:
    const std::shared_ptr<Database> database_;
};

}  // namespace ktrdr
