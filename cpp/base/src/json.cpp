#include <ktrdr/base/json.hpp>

#include <fmt/format.h>

#include <array>
#include <boost/json/array.hpp>
#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/error.hpp>
#include <boost/json/string.hpp>
#include <boost/json/value_stack.hpp>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

namespace ktrdr {
namespace {

namespace json = boost::json;
using boost::system::error_code;

/// The double nearest to a number as JSON writes it. Boost's own reading, `roughly`, may be the one beside it; it says
/// on which side a number lies that no double holds.
double nearest_double(std::string_view text, double roughly) {
    double number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error == std::errc::result_out_of_range) {
        number = std::abs(roughly) > 1 ? std::numeric_limits<double>::infinity() : 0.0;
        return text.starts_with('-') ? -number : number;
    }
    return number;
}

/// The keys of the objects that are open, for texts in which each must be the only one of its object.
struct OpenKeys {
    std::vector<std::unordered_set<std::string>> objects{};
    std::string key{};
    std::optional<std::string> twice{};

    bool ends(std::string_view last_part) {
        key += last_part;
        const bool first = objects.back().insert(key).second;
        if (!first) {
            twice = std::move(key);
        }
        key.clear();
        return first;
    }
};

/// Makes a value of what the parser finds. The whole text lies before it, so a number never comes in parts.
class Builder final {
public:
    static constexpr std::size_t max_object_size = json::object::max_size();
    static constexpr std::size_t max_array_size = json::array::max_size();
    static constexpr std::size_t max_key_size = json::string::max_size();
    static constexpr std::size_t max_string_size = json::string::max_size();

    Builder(json::storage_ptr memory, unsigned char* scratch, std::size_t scratch_size, OpenKeys* keys)
        : values_({}, scratch, scratch_size), keys_(keys) {
        values_.reset(std::move(memory));
    }

    [[nodiscard]] json::value release() { return values_.release(); }

    bool on_document_begin(error_code&) { return true; }
    bool on_document_end(error_code&) { return true; }
    bool on_object_begin(error_code&) {
        if (keys_ != nullptr) {
            keys_->objects.emplace_back();
        }
        return true;
    }
    bool on_object_end(std::size_t size, error_code&) {
        if (keys_ != nullptr) {
            keys_->objects.pop_back();
        }
        values_.push_object(size);
        return true;
    }
    bool on_array_begin(error_code&) { return true; }
    bool on_array_end(std::size_t size, error_code&) {
        values_.push_array(size);
        return true;
    }
    bool on_key_part(json::string_view part, std::size_t, error_code&) {
        if (keys_ != nullptr) {
            keys_->key += std::string_view(part);
        }
        values_.push_chars(part);
        return true;
    }
    bool on_key(json::string_view last_part, std::size_t, error_code& error) {
        if (keys_ != nullptr && !keys_->ends(last_part)) {
            error = json::error::syntax;
            return false;
        }
        values_.push_key(last_part);
        return true;
    }
    bool on_string_part(json::string_view part, std::size_t, error_code&) {
        values_.push_chars(part);
        return true;
    }
    bool on_string(json::string_view last_part, std::size_t, error_code&) {
        values_.push_string(last_part);
        return true;
    }
    bool on_number_part(json::string_view, error_code&) { return true; }
    bool on_int64(std::int64_t number, json::string_view, error_code&) {
        values_.push_int64(number);
        return true;
    }
    bool on_uint64(std::uint64_t number, json::string_view, error_code&) {
        values_.push_uint64(number);
        return true;
    }
    bool on_double(double number, json::string_view text, error_code&) {
        values_.push_double(nearest_double(text, number));
        return true;
    }
    bool on_bool(bool value, error_code&) {
        values_.push_bool(value);
        return true;
    }
    bool on_null(error_code&) {
        values_.push_null();
        return true;
    }
    bool on_comment_part(json::string_view, error_code&) { return true; }
    bool on_comment(json::string_view, error_code&) { return true; }

private:
    json::value_stack values_;
    OpenKeys* const keys_;
};

json::value read_value(std::string_view text, error_code& error, json::storage_ptr memory, OpenKeys* keys) {
    json::parse_options options;
    options.max_depth = deepest_json + 10;
    std::array<unsigned char, 4096> scratch;  // NOLINT(cppcoreguidelines-pro-type-member-init)
    json::basic_parser<Builder> parser(options, std::move(memory), scratch.data(), scratch.size(), keys);
    const std::size_t read = parser.write_some(false, text.data(), text.size(), error);
    if (!error && read < text.size()) {
        error = json::error::extra_data;
    }
    return error ? json::value() : parser.handler().release();
}

}  // namespace

json::value parse_json(std::string_view text, error_code& error, json::storage_ptr memory) {
    return read_value(text, error, std::move(memory), nullptr);
}

json::value parse_json(std::string_view text) {
    error_code error;
    json::value value = parse_json(text, error);
    if (error) {
        throw boost::system::system_error(error);
    }
    return value;
}

Result<json::value> parse_strict_json(std::string_view text) {
    OpenKeys keys;
    error_code error;
    json::value value = read_value(text, error, {}, &keys);
    if (keys.twice) {
        return fail(Errc::invalid_argument, fmt::format("an object has the key '{}' twice", *keys.twice));
    }
    if (error) {
        return fail(Errc::invalid_argument, error.message());
    }
    return value;
}

}  // namespace ktrdr
