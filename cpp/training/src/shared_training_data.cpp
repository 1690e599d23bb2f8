#include <ktrdr/training/shared_training_data.hpp>

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include <ktrdr/training/training_data.hpp>

namespace ktrdr {
namespace {

using boost::json::array;
using boost::json::object;
using boost::json::value;

value section_of(const object& json, std::string_view name) {
    const value* const found = json.if_contains(name);
    return found == nullptr ? value(nullptr) : *found;
}

value features_of(const object& strategy) {
    const value* const model = strategy.if_contains("model");
    return model == nullptr || !model->is_object() ? value(nullptr) : section_of(model->get_object(), "features");
}

value text_or_null(const std::optional<std::string>& text) {
    return text ? value(*text) : value(nullptr);
}

}  // namespace

std::string data_plan_of(const TrainingOperationContext& context) {
    object plan{{"symbols", array(context.symbols.begin(), context.symbols.end())},
                {"base", context.base},
                {"start_date", text_or_null(context.start_date)},
                {"end_date", text_or_null(context.end_date)},
                {"test_from", text_or_null(context.test_from)},
                {"what_to_show", text_or_null(context.series.what_to_show)},
                {"session", text_or_null(context.series.session)},
                {"split", {context.split.train, context.split.validation, context.split.test}},
                {"features", features_of(context.strategy.source)},
                // With fewer bars there are no rows.
                {"history_required", context.strategy.history_required}};
    array& timeframes = plan["timeframes"].emplace_array();
    for (const Timeframe& timeframe : context.timeframes) {
        timeframes.emplace_back(timeframe.name());
    }
    for (const char* const section : {"indicators", "fuzzy_sets", "nn_inputs", "training"}) {
        plan[section] = section_of(context.strategy.source, section);
    }
    return boost::json::serialize(plan);
}

std::optional<DataStamp> data_stamp_of(const TrainingOperationContext& context, BarProvider& bars) {
    DataStamp stamp{data_plan_of(context), {}};
    for (const std::string& symbol : context.symbols) {
        std::vector<std::size_t>& counts = stamp.bars.emplace_back();
        for (const Timeframe& timeframe : context.timeframes) {
            const auto grid = bars.grid(symbol, timeframe);
            const auto range = grid ? context.range_in(*grid) : Result<TimeRange>(grid.error());
            const auto found =
                range ? bars.stamp(symbol, timeframe, *range) : Result<std::optional<BarsStamp>>(range.error());
            const auto basis = bars.basis(symbol, timeframe);
            if (!found || !*found || !basis) {
                // Who reads the bars hears why.
                return std::nullopt;
            }
            counts.push_back((*found)->bars);
            stamp.key += fmt::format("\n{} {} {} {} {} {}", (*found)->version, basis->what_to_show, basis->calendar,
                                     basis->provider, basis->asset_class, basis->session);
        }
    }
    return stamp;
}

std::optional<std::string> data_key_of(const TrainingOperationContext& context, BarProvider& bars) {
    auto stamp = data_stamp_of(context, bars);
    return stamp ? std::optional(std::move(stamp->key)) : std::nullopt;
}

/// Of who fills a place: whatever becomes of it, those that wait are told.
class SharedTrainingData::Duty final {
public:
    Duty(SharedTrainingData& all, std::shared_ptr<Place> place) : all_(all), place_(std::move(place)) {}
    Duty(const Duty&) = delete;
    Duty& operator=(const Duty&) = delete;
    ~Duty() {
        if (place_ != nullptr) {
            all_.leave(*place_, State::abandoned, nullptr);
        }
    }
    void fulfil(Data data) {
        const auto place = std::exchange(place_, nullptr);
        all_.leave(*place, State::there, std::move(data));
    }

private:
    SharedTrainingData& all_;
    std::shared_ptr<Place> place_;
};

std::pair<std::shared_ptr<SharedTrainingData::Place>, bool> SharedTrainingData::take_place(const std::string& key) {
    // Rows that nobody keeps any more go after the lock.
    std::vector<std::shared_ptr<Place>> gone;
    const std::scoped_lock lock(mutex_);
    std::erase_if(places_, [](const auto& one) { return one.second.expired(); });
    auto place = places_[key].lock();
    const bool mine = place == nullptr || place->state == State::abandoned;
    if (mine) {
        place = std::make_shared<Place>();
        places_[key] = place;
    }
    if (const auto kept = kept_.lock()) {
        if (!key.starts_with(kept->key)) {
            gone = std::exchange(kept->places, {});
        }
        if (kept->places.empty()) {
            kept->key = key;
        }
        if (std::ranges::find(kept->places, place) == kept->places.end()) {
            kept->places.push_back(place);
        }
    }
    return {std::move(place), mine};
}

void SharedTrainingData::leave(Place& place, State state, Data data) {
    {
        const std::scoped_lock lock(mutex_);
        place.state = state;
        place.data = std::move(data);
    }
    changed_.notify_all();
}

Result<SharedTrainingData::State> SharedTrainingData::wait(const Place& place, const CancellationToken& token,
                                                           const std::function<void()>& on_wait) {
    // Looks at the token now and then: an on_cancel callback would need the io thread to be free.
    constexpr std::chrono::milliseconds slice{20};
    const auto is_over = [&place] { return place.state != State::in_work; };
    std::unique_lock lock(mutex_);
    if (!is_over()) {
        lock.unlock();
        on_wait();
        lock.lock();
    }
    while (!changed_.wait_for(lock, slice, is_over)) {
        if (auto go = token.check("waiting for another training to prepare the same rows"); !go) {
            return go.error();
        }
    }
    return place.state;
}

Result<SharedTrainingData::Data> SharedTrainingData::make_for(const std::shared_ptr<Place>& place,
                                                              const std::string& wanted, const Key& key,
                                                              const Make& make) {
    Duty duty(*this, place);
    auto data = make();
    if (!data || key() != wanted) {
        return data;
    }
    duty.fulfil(std::move(*data));
    return Data(place, place->data.get());
}

Result<SharedTrainingData::Data> SharedTrainingData::get(const Key& key, const Make& make,
                                                         const CancellationToken& token,
                                                         const std::function<void()>& on_wait) {
    for (;;) {
        const auto wanted = key();
        if (!wanted) {
            return make();
        }
        const auto [place, mine] = take_place(*wanted);
        if (mine) {
            return make_for(place, *wanted, key, make);
        }
        const auto found = wait(*place, token, on_wait);
        if (!found) {
            return found.error();
        }
        if (*found == State::there) {
            return Data(place, place->data.get());
        }
    }
}

std::shared_ptr<void> SharedTrainingData::keep_last() {
    const std::scoped_lock lock(mutex_);
    auto kept = kept_.lock();
    if (kept == nullptr) {
        kept = std::make_shared<Kept>();
        kept_ = kept;
    }
    return kept;
}

}  // namespace ktrdr
