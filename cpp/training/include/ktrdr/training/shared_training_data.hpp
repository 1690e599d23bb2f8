#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <ktrdr/base/export.hpp>
#include <ktrdr/base/result.hpp>
#include <ktrdr/cancellation/token.hpp>
#include <ktrdr/training/bar_provider.hpp>
#include <ktrdr/training/training_context.hpp>

namespace ktrdr {

struct TrainingData;

/// What the rows of a training depend on besides the bars: how features and labels are made and rows are split, of
/// which symbols, timeframes and dates. Two trainings of one plan on the same bars have the same rows, bit for bit.
[[nodiscard]] KTRDR_EXPORT std::string data_plan_of(const TrainingOperationContext& context);

/// What the rows of a training are made of, as it is stored now.
struct DataStamp {
    /// The plan and the versions of all series.
    std::string key{};
    /// No fewer than there are, by symbol and timeframe of the context.
    std::vector<std::vector<std::size_t>> bars{};
};

/// Unset where the provider cannot tell. Blocks for a moment.
[[nodiscard]] KTRDR_EXPORT std::optional<DataStamp> data_stamp_of(const TrainingOperationContext& context,
                                                                  BarProvider& bars);

/// Its key alone.
[[nodiscard]] KTRDR_EXPORT std::optional<std::string> data_key_of(const TrainingOperationContext& context,
                                                                  BarProvider& bars);

/// The rows of trainings, one copy for all that have the same.
///
/// Who asks first makes them; who asks for the same meanwhile waits for that. Where the maker is cancelled or fails,
/// one of those that wait takes over. Rows live as long as anybody holds them.
///
/// Thread safety: every member from any thread. Cancellation: of who waits, seen within 20 ms; the maker by itself.
class KTRDR_EXPORT SharedTrainingData final {
public:
    using Data = std::shared_ptr<const TrainingData>;
    /// What the rows are, as of now; unset where that cannot be told: then they are made anew, for this caller alone.
    using Key = std::function<std::optional<std::string>()>;
    using Make = std::function<Result<Data>()>;

    /// The rows under `key`, or what `make` answers. `make` is called at most once, on this thread; where the key is
    /// another one afterwards (bars were stored meanwhile), its rows are not shared. `on_wait` is called before a wait.
    [[nodiscard]] Result<Data> get(const Key& key, const Make& make, const CancellationToken& token,
                                   const std::function<void()>& on_wait);

    /// While anybody holds what this answers, the rows that were asked for last live on without a training, with those
    /// whose key begins with theirs: trainings that run one after the other share them, too.
    [[nodiscard]] std::shared_ptr<void> keep_last();

private:
    enum class State { in_work, there, abandoned };
    /// Where the rows of one key are, or will be.
    struct Place {
        State state{State::in_work};
        Data data{};
    };
    /// Those under `key`, and under what begins with it: a training's random walk is another set of rows.
    struct Kept {
        std::string key{};
        std::vector<std::shared_ptr<Place>> places{};
    };
    class Duty;

    /// The place of the key, and whether it is the caller who is to fill it.
    [[nodiscard]] std::pair<std::shared_ptr<Place>, bool> take_place(const std::string& key);
    void leave(Place& place, State state, Data data);
    [[nodiscard]] Result<State> wait(const Place& place, const CancellationToken& token,
                                     const std::function<void()>& on_wait);
    [[nodiscard]] Result<Data> make_for(const std::shared_ptr<Place>& place, const std::string& wanted, const Key& key,
                                        const Make& make);

    std::mutex mutex_;
    std::condition_variable changed_;
    std::map<std::string, std::weak_ptr<Place>> places_{};
    std::weak_ptr<Kept> kept_{};
};

}  // namespace ktrdr
