#include "load_parameters.hpp"

#include <array>
#include <utility>

namespace ktrdr {
namespace {

namespace json = boost::json;

using Word = std::pair<const char*, std::optional<std::string> SeriesWords::*>;
constexpr std::array words{Word{"instrument_type", &SeriesWords::instrument_type},
                           Word{"what_to_show", &SeriesWords::what_to_show}, Word{"session", &SeriesWords::session},
                           Word{"exchange", &SeriesWords::exchange}, Word{"currency", &SeriesWords::currency}};

json::value text_or_null(const std::optional<std::string>& text) {
    return text ? json::value(*text) : json::value();
}

}  // namespace

json::object parameters_of(const LoadRequest& request) {
    json::object parameters{{"symbol", request.symbol},
                            {"timeframe", request.timeframe},
                            {"start_date", text_or_null(request.start_date)},
                            {"end_date", text_or_null(request.end_date)},
                            {"mode", request.mode}};
    for (const auto& [name, word] : words) {
        if (request.series.*word) {
            parameters[name] = *(request.series.*word);
        }
    }
    for (const auto& [name, set] :
         {std::pair{"refresh", request.refresh}, std::pair{"repair", request.checks.repair},
          std::pair{"strict", request.checks.strict}, std::pair{"validate", request.checks.validate}}) {
        if (set) {
            parameters[name] = true;
        }
    }
    if (request.priority != 0) {
        parameters["priority"] = request.priority;
    }
    return parameters;
}

Result<LoadRequest> request_of(const json::object& parameters) {
    LoadRequest request;
    const auto text = [&parameters](const char* name) -> std::optional<std::string> {
        const json::value* const value = parameters.if_contains(name);
        return value != nullptr && value->is_string() ? std::optional<std::string>(value->get_string()) : std::nullopt;
    };
    const auto is_set = [&parameters](const char* name) {
        const json::value* const value = parameters.if_contains(name);
        return value != nullptr && value->is_bool() && value->get_bool();
    };
    const auto symbol = text("symbol");
    const auto timeframe = text("timeframe");
    const auto mode = text("mode");
    if (!symbol || !timeframe || !mode) {
        return fail(Errc::invalid_argument, "the parameters of a load have symbol, timeframe and mode: these do not",
                    {{"parameters", parameters}});
    }
    request.symbol = *symbol;
    request.timeframe = *timeframe;
    request.mode = *mode;
    request.start_date = text("start_date");
    request.end_date = text("end_date");
    for (const auto& [name, word] : words) {
        request.series.*word = text(name);
    }
    request.refresh = is_set("refresh");
    request.checks = {.validate = is_set("validate"), .repair = is_set("repair"), .strict = is_set("strict")};
    if (const json::value* const priority = parameters.if_contains("priority"); priority != nullptr) {
        request.priority = priority->is_int64() ? static_cast<int>(priority->get_int64()) : 0;
    }
    return request;
}

}  // namespace ktrdr
