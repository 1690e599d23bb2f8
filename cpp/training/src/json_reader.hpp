#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <ktrdr/base/result.hpp>

namespace ktrdr {

/// Reads values out of a JSON object and keeps the first thing that is wrong, with its path. After that every read
/// answers its fallback, so that callers look at `error()` once, at the end.
class JsonReader final {
public:
    explicit JsonReader(const boost::json::object& object)
        : object_(&object), error_(std::make_shared<std::optional<Error>>()) {}

    [[nodiscard]] const std::optional<Error>& error() const { return *error_; }
    [[nodiscard]] const std::string& path() const { return path_; }
    void fail_at(std::string_view key, const std::string& what) const;
    /// The members in their order.
    [[nodiscard]] std::vector<std::string> keys() const;
    /// False for a missing key and for null.
    [[nodiscard]] bool has(std::string_view key) const;

    /// A missing object reads as an empty one.
    [[nodiscard]] JsonReader object(std::string_view key) const;
    [[nodiscard]] std::vector<JsonReader> objects(std::string_view key) const;
    /// Without a fallback the key must be there.
    [[nodiscard]] std::string text(std::string_view key, std::optional<std::string> fallback = {}) const;
    [[nodiscard]] double number(std::string_view key) const;
    /// The value of an option (strategy_options.hpp), of the option's type and within its range, or its default.
    [[nodiscard]] const boost::json::value& option(std::string_view key) const;
    [[nodiscard]] std::vector<std::string> texts(std::string_view key) const;
    [[nodiscard]] std::vector<double> numbers(std::string_view key) const;

private:
    JsonReader(const boost::json::object* object, std::string path, std::shared_ptr<std::optional<Error>> error)
        : object_(object), path_(std::move(path)), error_(std::move(error)) {}
    [[nodiscard]] const boost::json::value* find(std::string_view key) const;
    [[nodiscard]] std::string path_of(std::string_view key) const;
    [[nodiscard]] const boost::json::array* array(std::string_view key) const;

    const boost::json::object* object_;
    std::string path_{};
    std::shared_ptr<std::optional<Error>> error_;
};

}  // namespace ktrdr
