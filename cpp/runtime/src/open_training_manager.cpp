#include <ktrdr/runtime/open_training_manager.hpp>

#include <utility>

namespace ktrdr {
namespace {

class StoredBars final : public BarProvider {
public:
    explicit StoredBars(std::shared_ptr<DataManager> data, SeriesWords words = {})
        : data_(std::move(data)), words_(std::move(words)) {}

    Result<std::shared_ptr<BarProvider>> choose(const SeriesChoice& choice) const override {
        SeriesWords words;
        words.what_to_show = choice.what_to_show;
        words.session = choice.session;
        if (const auto checked = check_words(words); !checked) {
            return checked.error();
        }
        return std::shared_ptr<BarProvider>(std::make_shared<StoredBars>(data_, std::move(words)));
    }

    Result<BarGrid> grid(const std::string& symbol, const Timeframe& timeframe) override {
        return data_->grid_of(asked(symbol, timeframe));
    }

    Result<SeriesBasis> basis(const std::string& symbol, const Timeframe& timeframe) override {
        const SeriesRequest request = asked(symbol, timeframe);
        const auto key = data_->key_of(request);
        const auto sessions = data_->grid_of(request);
        if (!key || !sessions) {
            return key ? sessions.error() : key.error();
        }
        return SeriesBasis{.symbol = symbol,
                           .timeframe = request.timeframe,
                           .what_to_show = key->what_to_show,
                           .calendar = sessions->calendar() ? sessions->calendar()->name() : std::string{},
                           .provider = key->provider,
                           .asset_class = key->asset_class,
                           .session = key->session};
    }

    Result<BarsPtr> bars(const std::string& symbol, const Timeframe& timeframe, TimeRange range,
                         const CancellationToken& token) override {
        if (const auto alive = token.check("reading stored bars"); !alive) {
            return alive.error();
        }
        return data_->read(asked(symbol, timeframe), range);
    }

    Result<std::optional<BarsStamp>> stamp(const std::string& symbol, const Timeframe& timeframe,
                                           TimeRange range) override {
        auto found = data_->stamp(asked(symbol, timeframe), range);
        if (!found) {
            return found.error();
        }
        return std::optional(BarsStamp{found->bars, std::move(found->version)});
    }

    Result<std::vector<BarBreak>> breaks(const std::string& symbol, const Timeframe& timeframe,
                                         TimeRange range) override {
        const auto known = data_->breaks(asked(symbol, timeframe));
        if (!known) {
            return known.error();
        }
        std::vector<BarBreak> inside;
        for (const BasisBreak& one : *known) {
            if (range.contains(one.at)) {
                inside.push_back({symbol, timeframe, one.at, one.ratio});
            }
        }
        return inside;
    }

    Result<std::vector<Hole>> holes(const std::string& symbol, const Timeframe& timeframe, const Bars& bars,
                                    std::optional<UtcTime> until) override {
        const auto sessions = grid(symbol, timeframe);
        if (!sessions) {
            return sessions.error();
        }
        return find_holes(bars, *sessions, until);
    }

private:
    [[nodiscard]] SeriesRequest asked(const std::string& symbol, const Timeframe& timeframe) const {
        return {symbol, std::string(timeframe.name()), words_};
    }

    std::shared_ptr<DataManager> data_;
    /// Which series of each symbol.
    SeriesWords words_;
};

}  // namespace

Result<std::shared_ptr<TrainingManager>> open_training_manager(TrainingServices services, const HostServiceMeans& means,
                                                               const TrainingManagerOptions& options,
                                                               std::shared_ptr<DataManager> data, Env env) {
    auto service = open_host_service(means, TrainingManager::host_service(), env, options.host_service);
    if (!service) {
        return service.error();
    }
    TrainingManagerParts parts;
    parts.models_dir = options.models_dir;
    parts.limits = options.limits;
    parts.service = std::move(*service);
    if (parts.service) {
        parts.means.emplace(means);
    }
    parts.operations = data->operations();
    parts.bars = std::make_shared<StoredBars>(std::move(data));
    return TrainingManager::create(services, std::move(parts), std::move(env));
}

}  // namespace ktrdr
