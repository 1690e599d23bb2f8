#include <ktrdr/prediction/predictor.hpp>

#include <boost/json/array.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include <ktrdr/base/json.hpp>
#include <ktrdr/prediction/prediction_stream.hpp>
#include <ktrdr/training/training_data.hpp>

#include "stored_texts.hpp"
#include "what_follows.hpp"

namespace ktrdr {
namespace {

Error refuse(const ModelFiles& files, std::string_view file, const std::string& what) {
    return fail(Errc::invalid_argument, fmt::format("{} cannot be used: {}: {}", files.path.string(), file, what),
                {{"path", files.path.string()}, {"file", file}});
}

/// A list of finite numbers; empty for anything else.
std::vector<double> numbers_of(const boost::json::object& object, std::string_view key) {
    std::vector<double> numbers;
    const boost::json::value* const list = object.if_contains(key);
    if (list != nullptr && list->is_array()) {
        for (const boost::json::value& item : list->get_array()) {
            boost::system::error_code error;
            const double number = item.is_number() ? item.to_number<double>(error) : std::nan("");
            if (error || !std::isfinite(number)) {
                return {};
            }
            numbers.push_back(number);
        }
    }
    return numbers;
}

std::string first_difference(const std::vector<std::string>& stored, const std::vector<std::string>& made) {
    if (stored.size() != made.size()) {
        return fmt::format("it names {} features and the strategy makes {}", stored.size(), made.size());
    }
    const auto [at, other] = std::ranges::mismatch(stored, made);
    return fmt::format("feature {} is '{}' and the strategy makes '{}' there", at - stored.begin(), *at, *other);
}

/// The `series` of a model's metadata; what is no text of it is empty.
std::vector<SeriesBasis> basis_in(const boost::json::object& metadata) {
    std::vector<SeriesBasis> series;
    const boost::json::value* const list = metadata.if_contains("series");
    if (list == nullptr || !list->is_array()) {
        return series;
    }
    for (const boost::json::value& item : list->get_array()) {
        if (item.is_object()) {
            const auto text = [&](std::string_view key) { return std::string(text_or_empty(item.get_object(), key)); };
            series.push_back({text("symbol"), text("timeframe"), text("what_to_show"), text("calendar"),
                              text("provider"), text("asset_class"), text("session")});
        }
    }
    return series;
}

/// The sessions of a series as its training knew them; none where the calendar is not one of those that ship.
BarGrid grid_like(const SeriesBasis& basis, const Timeframe& timeframe) {
    const auto calendar = SessionCalendar::shipped(basis.calendar);
    if (!calendar) {
        return BarGrid(timeframe);
    }
    const auto grid = BarGrid::make(
        timeframe, *calendar, {.provider = basis.provider, .asset_class = basis.asset_class, .session = basis.session});
    return grid ? *grid : BarGrid(timeframe);
}

/// For each base bar how many bars of a series are closed when it is.
std::vector<std::size_t> closed_counts(const FeatureSeries& base, const FeatureSeries& other) {
    std::vector<std::size_t> counts(base.bars->size());
    std::size_t next = 0;
    for (std::size_t bar = 0; bar < counts.size(); ++bar) {
        const UtcTime known = base.grid.end_of(base.bars->start_of(bar));
        while (next < other.bars->size() && other.grid.is_closed(other.bars->start_of(next), known)) {
            ++next;
        }
        counts[bar] = next;
    }
    return counts;
}

/// Which base bars have so many bars before them in every series, none of them behind a hole.
std::vector<bool> with_history(const std::vector<FeatureSeries>& series, std::size_t base, std::size_t history) {
    std::vector<bool> whole(series[base].bars->size(), true);
    for (std::size_t i = 0; i < series.size(); ++i) {
        const auto counts = closed_counts(series[base], series[i]);
        std::vector<std::size_t> in_stretch;
        for (const Stretch stretch : stretches_between(series[i].holes, series[i].bars->size())) {
            for (std::size_t bar = stretch.first; bar < stretch.last; ++bar) {
                in_stretch.push_back(bar - stretch.first);
            }
        }
        for (std::size_t bar = 0; bar < whole.size(); ++bar) {
            const std::size_t closed = i == base ? bar + 1 : counts[bar];
            whole[bar] = whole[bar] && closed > 0 && in_stretch[closed - 1] >= history;
        }
    }
    return whole;
}

std::vector<std::string> warnings_of(std::span<const BarsView> given, const std::vector<FeatureSeries>& series,
                                     std::size_t history) {
    std::vector<SeriesHole> holes;
    for (std::size_t i = 0; i < series.size(); ++i) {
        for (const Hole& hole : series[i].holes) {
            holes.push_back({given[i].symbol(), series[i].grid.timeframe(), hole.range, hole.sessions});
        }
    }
    return hole_warnings(holes, what_follows_a_hole(history));
}

Error too_few(const Predictor& model, const std::vector<FeatureSeries>& series, std::size_t history) {
    std::vector<std::string> given;
    boost::json::object counts;
    for (const FeatureSeries& one : series) {
        given.push_back(fmt::format("{} of {}", one.bars->size(), one.grid.timeframe().name()));
        counts[one.grid.timeframe().name()] = one.bars->size();
    }
    const bool several = series.size() > 1;
    return fail(
        Errc::not_enough_data,
        fmt::format("{} bars are too few to predict with: {} are needed{} ({} of history and the one predicted for); "
                    "hand in more bars",
                    fmt::join(given, ", "), history + 1,
                    several ? " in each timeframe, closed when the bar predicted for is" : "", history),
        {{"bars", std::move(counts)},
         {"bars_needed", history + 1},
         {"timeframe", model.timeframes()[model.base()].name()}});
}

}  // namespace

std::string what_follows_a_hole(std::size_t history) {
    return fmt::format("indicators begin anew behind that, so the {} bars there have no prediction: load the range",
                       history);
}

Predictor::Predictor(ModelFiles files, Strategy strategy, std::vector<NamedTensor> weights, Mlp network)
    : files_(std::move(files)),
      strategy_(std::move(strategy)),
      weights_(std::move(weights)),
      network_(std::move(network)) {}

Result<std::shared_ptr<const Predictor>> Predictor::load(const std::filesystem::path& folder) {
    auto files = read_model_files(folder);
    if (!files) {
        return files.error();
    }
    const boost::json::value* const source = files->config.if_contains("strategy");
    if (source == nullptr || !source->is_object()) {
        return refuse(*files, "config.json", "it holds no strategy");
    }
    auto strategy = Strategy::parse(source->get_object());
    if (!strategy) {
        return refuse(*files, "config.json", "its strategy: " + strategy.error().message);
    }
    auto weights = read_model_weights(folder);
    if (!weights) {
        return weights.error();
    }
    auto network = Mlp::make(*weights, strategy->model.activation);
    if (!network) {
        return refuse(*files, "model.safetensors", network.error().message);
    }
    auto series = basis_in(files->metadata);
    const std::shared_ptr<Predictor> model(
        new Predictor(std::move(*files), std::move(*strategy), std::move(*weights), std::move(*network)));
    model->series_ = std::move(series);
    if (auto read = model->read_features(); !read) {
        return read.error();
    }
    if (auto fits = model->check_network(); !fits) {
        return fits.error();
    }
    return std::shared_ptr<const Predictor>(model);
}

Result<void> Predictor::read_features() {
    const std::vector<std::string> names = texts_of(files_.config, "timeframes");
    for (const std::string& name : names) {
        auto timeframe = Timeframe::parse(name);
        if (!timeframe) {
            return refuse(files_, "config.json", timeframe.error().message);
        }
        timeframes_.push_back(*timeframe);
    }
    const auto base = std::ranges::find(names, std::string(text_or_empty(files_.config, "base_timeframe")));
    if (names.empty() || base == names.end()) {
        return refuse(files_, "config.json", "its base_timeframe is none of its timeframes");
    }
    base_ = static_cast<std::size_t>(base - names.begin());
    feature_names_ = texts_of(files_.features, "names");
    classes_ = texts_of(files_.features, "classes");
    const std::vector<std::string> made = ktrdr::feature_names(strategy_.features, timeframes_);
    if (feature_names_ != made) {
        return refuse(files_, "features.json",
                      "these are the features of another model: " + first_difference(feature_names_, made));
    }
    return read_scaling();
}

Result<void> Predictor::read_scaling() {
    const boost::json::value* const stored = files_.features.if_contains("scaling");
    if (stored == nullptr || stored->is_null()) {
        return strategy_.scale_features
                   ? Result<void>(
                         refuse(files_, "features.json", "it has no scaling, and the strategy's features are scaled"))
                   : Result<void>{};
    }
    FeatureScaling scaling;
    if (stored->is_object()) {
        scaling.mean = numbers_of(stored->get_object(), "mean");
        scaling.deviation = numbers_of(stored->get_object(), "deviation");
    }
    const bool usable = std::ranges::all_of(scaling.deviation, [](double one) { return one > 0; });
    if (scaling.mean.size() != feature_names_.size() || scaling.deviation.size() != feature_names_.size() || !usable) {
        return refuse(files_, "features.json", "its scaling needs a mean and a deviation above 0 for each feature");
    }
    scaling_ = std::move(scaling);
    return {};
}

Result<void> Predictor::check_network() const {
    if (network_.inputs() != feature_names_.size() || network_.classes() != classes_.size()) {
        return refuse(
            files_, "model.safetensors",
            fmt::format("these are the weights of another model: {} inputs and {} classes, where features.json "
                        "names {} and {}",
                        network_.inputs(), network_.classes(), feature_names_.size(), classes_.size()));
    }
    if (network_.hidden_layers() != strategy_.model.hidden_layers) {
        return refuse(
            files_, "model.safetensors",
            fmt::format("these are the weights of another model: hidden layers [{}], where the strategy has [{}]",
                        fmt::join(network_.hidden_layers(), ", "), fmt::join(strategy_.model.hidden_layers, ", ")));
    }
    return {};
}

std::vector<std::string> Predictor::trained_on(std::string_view symbol, std::size_t timeframe) const {
    const std::string_view name = timeframes_[timeframe].name();
    std::vector<std::string> trained;
    bool knows_symbol = false;
    for (const SeriesBasis& one : series_) {
        if (one.timeframe != name || one.what_to_show.empty() || (knows_symbol && one.symbol != symbol)) {
            continue;
        }
        if (one.symbol == symbol && !knows_symbol) {
            // What it was trained on of this very symbol is what counts.
            knows_symbol = true;
            trained.clear();
        }
        if (std::ranges::find(trained, one.what_to_show) == trained.end()) {
            trained.push_back(one.what_to_show);
        }
    }
    return trained;
}

SeriesChoice Predictor::choose_series(std::string_view symbol, std::string_view timeframe, SeriesChoice asked) const {
    const bool knows_symbol = std::ranges::any_of(
        series_, [&](const SeriesBasis& one) { return one.symbol == symbol && one.timeframe == timeframe; });
    const auto only_one = [&](std::string SeriesBasis::* part) -> std::optional<std::string> {
        std::optional<std::string> found;
        for (const SeriesBasis& one : series_) {
            if (one.timeframe != timeframe || (one.*part).empty() || (knows_symbol && one.symbol != symbol)) {
                continue;
            }
            if (found && *found != one.*part) {
                return std::nullopt;
            }
            found = one.*part;
        }
        return found;
    };
    return {asked.what_to_show ? std::move(asked.what_to_show) : only_one(&SeriesBasis::what_to_show),
            asked.session ? std::move(asked.session) : only_one(&SeriesBasis::session)};
}

Result<void> Predictor::check_basis(std::string_view symbol, std::string_view what_to_show,
                                    std::size_t timeframe) const {
    const std::vector<std::string> trained = trained_on(symbol, timeframe);
    if (what_to_show.empty() || trained.empty() || std::ranges::find(trained, what_to_show) != trained.end()) {
        return {};
    }
    return fail(
        Errc::invalid_argument,
        fmt::format("these bars{}{} of {} are {}, and the model was trained on {}: the same move is another one "
                    "there (ADJUSTED_LAST is adjusted for splits and dividends); load them with "
                    "what_to_show=\"{}\", or train on {}",
                    symbol.empty() ? "" : " of ", symbol, timeframes_[timeframe].name(), what_to_show,
                    fmt::join(trained, ", "), trained.front(), what_to_show),
        {{"field", "what_to_show"}, {"what_to_show", what_to_show}, {"trained_on", trained.front()}});
}

BarGrid Predictor::grid_of(std::string_view symbol, std::size_t timeframe) const {
    const std::string_view name = timeframes_[timeframe].name();
    const SeriesBasis* found = nullptr;
    for (const SeriesBasis& one : series_) {
        if (one.timeframe != name || (!symbol.empty() && one.symbol != symbol)) {
            continue;
        }
        if (found != nullptr && one.calendar != found->calendar) {
            return BarGrid(timeframes_[timeframe]);
        }
        found = &one;
    }
    return found == nullptr ? BarGrid(timeframes_[timeframe]) : grid_like(*found, timeframes_[timeframe]);
}

Result<std::vector<FeatureSeries>> Predictor::series_of(std::span<const BarsView> bars) const {
    if (bars.size() != timeframes_.size()) {
        return fail(Errc::invalid_argument, fmt::format("the model needs bars of {} timeframes, and {} were given",
                                                        timeframes_.size(), bars.size()));
    }
    std::vector<FeatureSeries> series;
    for (std::size_t i = 0; i < bars.size(); ++i) {
        if (auto fits = check_basis(bars[i].symbol(), bars[i].what_to_show(), i); !fits) {
            return fits.error();
        }
        BarsPtr own = bars[i].own();
        auto holes = find_holes(*own, grid_of(bars[i].symbol(), i));
        for (Hole& hole : holes) {
            // That bars are missing is known when the next one comes, and not before.
            hole.since = UtcTime::max();
        }
        // As in the training: sessions say what is missing, and a bar of another timeframe counts from its plain end.
        series.push_back({BarGrid(timeframes_[i]), std::move(own), std::move(holes)});
    }
    return series;
}

Result<std::size_t> Predictor::history(History asked) const {
    if (asked == History::least) {
        return warm_up_bars(strategy_.features);
    }
    if (const auto exact = history_bars(strategy_.features)) {
        return *exact;
    }
    const FeatureSource& source = *never_forgets(strategy_.features);
    return fail(
        Errc::invalid_argument,
        fmt::format("the values of '{}' ({}) depend on where the bars begin, however many there are, so no history "
                    "is exact: say exact=False, and let the bars begin where those of the training did",
                    source.feature_id, source.indicator.spec().name),
        {{"field", "exact"}, {"indicator", source.feature_id}});
}

Result<Predictions> Predictor::predict(std::span<const float> rows) const {
    const std::size_t columns = feature_names_.size();
    if (rows.size() % columns != 0) {
        return fail(Errc::invalid_argument,
                    fmt::format("{} values are no whole rows: the model has {} features", rows.size(), columns),
                    {{"features", columns}});
    }
    const auto odd = std::ranges::find_if_not(rows, [](float value) { return std::isfinite(value); });
    if (odd != rows.end()) {
        const auto at = static_cast<std::size_t>(odd - rows.begin());
        return fail(Errc::invalid_argument,
                    fmt::format("row {} has no finite value for '{}': leave rows with missing values out", at / columns,
                                feature_names_[at % columns]),
                    {{"row", at / columns}, {"feature", feature_names_[at % columns]}});
    }
    const std::size_t count = rows.size() / columns;
    Predictions predictions{std::vector<std::int64_t>(count), std::vector<float>(count * classes_.size())};
    Mlp::Scratch scratch;
    for (std::size_t row = 0; row < count; ++row) {
        const auto chances = std::span(predictions.chances).subspan(row * classes_.size(), classes_.size());
        network_.chances(rows.subspan(row * columns, columns), chances, scratch);
        predictions.classes[row] = static_cast<std::int64_t>(largest_of(chances));
    }
    return predictions;
}

Result<BarFeatures> Predictor::unscaled_features_of(std::span<const BarsView> bars, History asked) const {
    const auto series = series_of(bars);
    if (!series) {
        return series.error();
    }
    const auto needed = history(asked);
    if (!needed) {
        return needed.error();
    }
    for (const FeatureSeries& one : *series) {
        if (auto checked = one.bars->check(); !checked) {
            return checked.error();
        }
    }
    const std::vector<bool> whole = with_history(*series, base_, *needed);
    if (std::ranges::find(whole, true) == whole.end()) {
        return too_few(*this, *series, *needed);
    }
    const auto matrix = build_features(strategy_.features, *series, base_);
    if (!matrix) {
        return matrix.error();
    }
    const std::size_t columns = feature_names_.size();
    BarFeatures features;
    features.warnings = warnings_of(bars, *series, *needed);
    for (std::size_t row = 0; row < matrix->bar.size(); ++row) {
        if (whole[matrix->bar[row]]) {
            const auto values = std::span(matrix->values).subspan(row * columns, columns);
            features.bar.push_back(matrix->bar[row]);
            features.values.insert(features.values.end(), values.begin(), values.end());
        }
    }
    return features;
}

Result<BarFeatures> Predictor::features_of(std::span<const BarsView> bars, History asked) const {
    auto features = unscaled_features_of(bars, asked);
    if (features && scaling_) {
        scale(*scaling_, features->values);
    }
    return features;
}

std::vector<std::string> Predictor::membership_names() const {
    FeaturePlan memberships = strategy_.features;
    memberships.price_context = false;
    return ktrdr::feature_names(memberships, timeframes_);
}

Result<BarPredictions> Predictor::predict_bars(std::span<const BarsView> bars, History asked) const {
    auto features = features_of(bars, asked);
    if (!features) {
        return features.error();
    }
    auto predicted = predict(features->values);
    if (!predicted) {
        return predicted.error();
    }
    return BarPredictions{std::move(features->bar), std::move(*predicted), std::move(features->warnings)};
}

Result<std::unique_ptr<PredictionStream>> Predictor::stream(History asked, std::string symbol) const {
    const auto needed = history(asked);
    if (!needed) {
        return needed.error();
    }
    return std::make_unique<PredictionStream>(shared_from_this(), *needed, std::move(symbol));
}

}  // namespace ktrdr
