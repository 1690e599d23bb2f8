#include "json_reader.hpp"

#include <boost/json/array.hpp>
#include <fmt/format.h>

#include <ktrdr/training/strategy_options.hpp>

namespace ktrdr {
namespace {

const boost::json::object& nothing() {
    static const boost::json::object empty;
    return empty;
}

}  // namespace

std::string JsonReader::path_of(std::string_view key) const {
    if (key.empty()) {
        return path_;
    }
    return path_.empty() ? std::string(key) : fmt::format("{}.{}", path_, key);
}

void JsonReader::fail_at(std::string_view key, const std::string& what) const {
    if (!*error_) {
        const std::string path = path_of(key);
        *error_ = fail(Errc::strategy, fmt::format("strategy: {}: {}", path, what), {{"path", path}});
    }
}

const boost::json::value* JsonReader::find(std::string_view key) const {
    const boost::json::value* const found = object_->if_contains(key);
    return found == nullptr || found->is_null() ? nullptr : found;
}

std::vector<std::string> JsonReader::keys() const {
    std::vector<std::string> names;
    for (const auto& member : *object_) {
        names.emplace_back(member.key());
    }
    return names;
}

bool JsonReader::has(std::string_view key) const {
    return find(key) != nullptr;
}

JsonReader JsonReader::object(std::string_view key) const {
    const boost::json::value* const found = find(key);
    if (found != nullptr && !found->is_object()) {
        fail_at(key, "a mapping is needed");
    }
    const bool good = found != nullptr && found->is_object();
    return {good ? &found->get_object() : &nothing(), path_of(key), error_};
}

const boost::json::array* JsonReader::array(std::string_view key) const {
    const boost::json::value* const found = find(key);
    if (found != nullptr && !found->is_array()) {
        fail_at(key, "a list is needed");
    }
    return found == nullptr ? nullptr : found->if_array();
}

std::vector<JsonReader> JsonReader::objects(std::string_view key) const {
    std::vector<JsonReader> readers;
    const boost::json::array* const items = array(key);
    for (std::size_t i = 0; items != nullptr && i < items->size(); ++i) {
        const std::string name = fmt::format("{}[{}]", key, i);
        if (const auto* const item = (*items)[i].if_object()) {
            readers.push_back(JsonReader(item, path_of(name), error_));
        } else {
            fail_at(name, "a mapping is needed");
        }
    }
    return readers;
}

std::string JsonReader::text(std::string_view key, std::optional<std::string> fallback) const {
    const boost::json::value* const found = find(key);
    if (found == nullptr) {
        if (!fallback) {
            fail_at(key, "is missing");
        }
        return fallback.value_or("");
    }
    if (!found->is_string()) {
        fail_at(key, "a text is needed");
        return fallback.value_or("");
    }
    return std::string(found->get_string());
}

double JsonReader::number(std::string_view key) const {
    const boost::json::value* const found = find(key);
    if (found == nullptr || !found->is_number()) {
        fail_at(key, found == nullptr ? "is missing" : "a number is needed");
        return 0;
    }
    return found->to_number<double>();
}

const boost::json::value& JsonReader::option(std::string_view key) const {
    const StrategyOption& known = *find_strategy_option(path_of(key));
    const boost::json::value* const found = find(key);
    if (found == nullptr) {
        if (known.required) {
            fail_at(key, "is missing");
        }
        return known.fallback;
    }
    if (const auto refused = refusal(known, *found)) {
        fail_at(key, *refused);
        return known.fallback;
    }
    return *found;
}

std::vector<std::string> JsonReader::texts(std::string_view key) const {
    std::vector<std::string> values;
    if (const boost::json::array* const items = array(key)) {
        for (const boost::json::value& item : *items) {
            if (!item.is_string() || item.get_string().empty()) {
                fail_at(key, "a list of texts is needed");
                return {};
            }
            values.emplace_back(item.get_string());
        }
    }
    return values;
}

std::vector<double> JsonReader::numbers(std::string_view key) const {
    std::vector<double> values;
    if (const boost::json::array* const items = array(key)) {
        for (const boost::json::value& item : *items) {
            if (!item.is_number()) {
                fail_at(key, "a list of numbers is needed");
                return {};
            }
            values.push_back(item.to_number<double>());
        }
    }
    return values;
}

}  // namespace ktrdr
