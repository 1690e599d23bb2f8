// Bars of the host service as JSON, read where they stand: a value made of each answer would cost five times as much.

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include <ktrdr/base/json.hpp>
#include <ktrdr/data/ib_answers.hpp>
#include <ktrdr/market/decimal.hpp>
#include <ktrdr/market/stamp_reader.hpp>

#include "bar_answer.hpp"

namespace ktrdr {
namespace {

namespace json = boost::json;

constexpr std::size_t bars_between_polls = 1000;
/// What the text of a bar takes in an answer.
constexpr std::size_t usual_bar = 120;

/// Reads from the front of a text. Every member says whether it found what it is for; what it leaves is of no matter
/// where it did not.
class Cursor final {
public:
    explicit Cursor(std::string_view text) : at_(text.data()), end_(text.data() + text.size()) {}

    [[nodiscard]] const char* at() const { return at_; }
    [[nodiscard]] bool take(std::string_view words) {
        if (static_cast<std::size_t>(end_ - at_) < words.size() || std::string_view(at_, words.size()) != words) {
            return false;
        }
        at_ += words.size();
        return true;
    }
    void skip_blanks() {
        while (at_ != end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\r' || *at_ == '\t')) {
            ++at_;
        }
    }
    /// Inside a string only blanks may stand between the marks: its other white space is written otherwise.
    [[nodiscard]] bool take_mark(char mark) {
        skip_spaces();
        const bool found = at_ != end_ && *at_ == mark;
        at_ += found ? 1 : 0;
        skip_spaces();
        return found;
    }
    /// What stands before the next quote inside a string.
    [[nodiscard]] bool take_quoted(std::string_view& text) {
        constexpr std::ptrdiff_t longest = 40;
        const char* const last = at_ + std::min(longest, end_ - at_);
        const char* const found = std::find_if(at_, last, [](char c) { return c == '\\' || c == '"'; });
        text = {at_, static_cast<std::size_t>(found - at_)};
        at_ = found;
        return take("\\\"");
    }
    /// A number as JSON writes it, as the nearest double.
    [[nodiscard]] bool take_number(double& value);

private:
    void skip_spaces() {
        while (at_ != end_ && *at_ == ' ') {
            ++at_;
        }
    }

    const char* at_;
    const char* end_;
};

bool Cursor::take_number(double& value) {
    bool is_integer = false;
    const char* const behind = read_decimal(at_, end_, value, is_integer);
    if (behind == nullptr) {
        return false;
    }
    at_ = behind;
    if (is_integer && value == 0) {
        // An integer has no sign where it is zero.
        value = 0;
    }
    return true;
}

/// One member of a bar, its name and its number; a volume may be null.
bool take_value(Cursor& text, std::string_view name, bool may_be_null, double& value) {
    if (!text.take("\\\"") || !text.take(name) || !text.take("\\\"") || !text.take_mark(':')) {
        return false;
    }
    if (may_be_null && text.take("null")) {
        value = Bars::no_volume;
        return true;
    }
    return text.take_number(value);
}

bool take_bar(Cursor& text, StampReader& stamps, Bars& bars) {
    std::string_view stamp;
    if (!text.take("\\\"") || !text.take_quoted(stamp) || !text.take_mark(':') || !text.take_mark('{')) {
        return false;
    }
    const auto time = stamps.read(stamp);
    if (!time || (!bars.empty() && *time <= bars.time.back())) {
        return false;
    }
    constexpr std::array<std::string_view, 5> names{"open", "high", "low", "close", "volume"};
    std::array<double, names.size()> values{};
    for (std::size_t i = 0; i < names.size(); ++i) {
        const bool last = i + 1 == names.size();
        if (!take_value(text, names[i], last, values[i]) || !text.take_mark(last ? '}' : ',')) {
            return false;
        }
    }
    bars.push_back(*time, values[0], values[1], values[2], values[3], values[4]);
    return true;
}

/// Where the string of bars begins, behind its quote; nothing where it is not the object's own.
std::optional<std::size_t> find_bars(std::string_view body) {
    constexpr std::string_view name = "\"data\"";
    const std::size_t found = body.find(name);
    if (found == std::string_view::npos) {
        return std::nullopt;
    }
    const std::string_view before = body.substr(0, found);
    const std::size_t open = before.find_first_not_of(" \t\r\n");
    const bool is_member = open != std::string_view::npos && before[open] == '{' &&
                           before.find_first_of("{[", open + 1) == std::string_view::npos &&
                           std::string_view("{, \t\r\n").find(before.back()) != std::string_view::npos;
    Cursor text(body.substr(found + name.size()));
    text.skip_blanks();
    const bool has_value = text.take(":");
    text.skip_blanks();
    if (!is_member || !has_value || !text.take("\"")) {
        return std::nullopt;
    }
    return static_cast<std::size_t>(text.at() - body.data());
}

/// Reads bars up to the end of their string; false for what is written otherwise, and where the token stops it.
bool take_bars(Cursor& text, Bars& bars, const CancellationToken& token) {
    if (!text.take_mark('{')) {
        return false;
    }
    StampReader stamps;
    do {
        if (bars.size() % bars_between_polls == 0 && token.is_cancelled()) {
            return false;
        }
        if (!take_bar(text, stamps, bars)) {
            return false;
        }
    } while (text.take_mark(','));
    return text.take_mark('}') && text.take("\"");
}

/// The rest of an answer, in which `data` is an empty text: nothing where that is not so, it has
/// warnings, or the rest is no JSON.
std::optional<json::value> read_rest(std::string_view before, std::string_view behind) {
    std::string rest(before);
    rest.append("\"").append(behind);
    auto read = parse_strict_json(rest);
    if (!read || !read->is_object()) {
        return std::nullopt;
    }
    const json::value* const data = read->get_object().if_contains("data");
    // Warnings beside the bars are rare, and told by who reads the whole.
    const bool is_it =
        data != nullptr && data->is_string() && data->get_string().empty() && !read->get_object().contains("warnings");
    return is_it ? std::optional(std::move(*read)) : std::nullopt;
}

}  // namespace

std::optional<Result<SourceAnswer>> read_usual_historical(std::string_view body, const BarsWanted& wanted,
                                                          const std::string& asked, const CancellationToken& token) {
    body = without_mark(body);
    const auto begin = find_bars(body);
    if (!begin) {
        return std::nullopt;
    }
    Cursor text(body.substr(*begin));
    Bars bars;
    bars.reserve((body.size() - *begin) / usual_bar);
    const bool read = take_bars(text, bars, token);
    if (const auto alive = token.check("reading bars"); !alive) {
        return alive.error();
    }
    if (!read) {
        return std::nullopt;
    }
    const auto end = static_cast<std::size_t>(text.at() - body.data());
    const auto rest = read_rest(body.substr(0, *begin), body.substr(end));
    if (!rest) {
        return std::nullopt;
    }
    const auto object = successful(*rest, asked);
    if (!object) {
        return std::nullopt;
    }
    if (const auto brought = check_kind(**object, wanted.kind, asked); !brought) {
        return brought.error();
    }
    std::string partial = shortfall(**object, bars.size());
    return answer_of(std::move(bars), std::move(partial), wanted, asked);
}

}  // namespace ktrdr
