#include <ktrdr/data/scripted_source.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include <ktrdr/data/source_check.hpp>
#include <ktrdr/market/symbol.hpp>

namespace ktrdr {

namespace asio = boost::asio;

Result<void> ScriptedSource::set_bars(const std::string& symbol, const Timeframe& timeframe, Bars bars) {
    auto named = parse_symbol(symbol);
    if (!named) {
        return named.error();
    }
    if (const auto checked = bars.check(); !checked) {
        return checked;
    }
    const std::scoped_lock lock(mutex_);
    bars_.insert_or_assign({std::move(*named), std::string(timeframe.name())}, std::move(bars));
    return {};
}

void ScriptedSource::fail_with(std::optional<Error> error) {
    const std::scoped_lock lock(mutex_);
    error_ = std::move(error);
}

void ScriptedSource::hold() {
    const std::scoped_lock lock(mutex_);
    holding_ = true;
}

void ScriptedSource::release() {
    const std::scoped_lock lock(mutex_);
    holding_ = false;
    for (const auto& gate : held_) {
        io_.post([gate] { gate->open(); });
    }
}

bool ScriptedSource::wait_until_held(std::chrono::nanoseconds limit) {
    std::unique_lock lock(mutex_);
    return held_one_.wait_for(lock, limit, [this] { return !held_.empty(); });
}

std::size_t ScriptedSource::fetches() const {
    const std::scoped_lock lock(mutex_);
    return fetches_;
}

asio::awaitable<Result<Contract>> ScriptedSource::validate_symbol(std::string symbol, Timeframe, SourceCall) {
    const std::scoped_lock lock(mutex_);
    const auto known = [&symbol](const auto& series) { return series.first.first == symbol; };
    if (!std::any_of(bars_.begin(), bars_.end(), known)) {
        co_return fail(Errc::symbol_unknown,
                       fmt::format("the source {} was given no bars of {}: give it some, or ask for what it has ({})",
                                   provider_, symbol, contents()),
                       {{"symbol", symbol}});
    }
    co_return Contract{};
}

asio::awaitable<Result<std::optional<UtcTime>>> ScriptedSource::first_timestamp(std::string symbol, Timeframe timeframe,
                                                                                SourceCall) {
    const std::scoped_lock lock(mutex_);
    const auto series = bars_.find({symbol, std::string(timeframe.name())});
    if (series == bars_.end() || series->second.empty()) {
        co_return std::optional<UtcTime>{};
    }
    co_return std::optional(series->second.start_of(0));
}

asio::awaitable<Result<SourceAnswer>> ScriptedSource::fetch(std::string symbol, Timeframe timeframe, TimeRange segment,
                                                            SourceCall call) {
    if (const auto gate = enter()) {
        {
            const CancelRegistration registration = call.token.on_cancel([gate](const CancelReason&) { gate->open(); });
            co_await gate->wait();
        }
        leave(gate);
    }
    if (const auto alive = call.token.check("a scripted fetch"); !alive) {
        co_return alive.error();
    }
    co_return answer({symbol, std::string(timeframe.name())}, call.grid_of(timeframe), segment);
}

std::shared_ptr<Gate> ScriptedSource::enter() {
    const std::scoped_lock lock(mutex_);
    ++fetches_;
    if (!holding_) {
        return nullptr;
    }
    held_.push_back(std::make_shared<Gate>());
    held_one_.notify_all();
    return held_.back();
}

void ScriptedSource::leave(const std::shared_ptr<Gate>& gate) {
    const std::scoped_lock lock(mutex_);
    std::erase(held_, gate);
}

Result<SourceAnswer> ScriptedSource::answer(const Series& series, const BarGrid& grid, TimeRange segment) const {
    const std::scoped_lock lock(mutex_);
    if (error_) {
        return *error_;
    }
    const auto found = bars_.find(series);
    if (found == bars_.end()) {
        return SourceAnswer();
    }
    Bars bars = found->second.slice(segment);
    return SourceAnswer(clock_ == nullptr ? std::move(bars) : closed_part(std::move(bars), grid, clock_->utc_now()));
}

std::string ScriptedSource::contents() const {
    constexpr std::size_t most_series = 10;
    std::vector<std::string> names;
    for (const auto& [series, bars] : bars_) {
        names.push_back(fmt::format("{} {}", series.first, series.second));
        if (names.size() == most_series) {
            names.emplace_back("…");
            break;
        }
    }
    return names.empty() ? "nothing" : fmt::format("{}", fmt::join(names, ", "));
}

}  // namespace ktrdr
