#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <ktrdr/base/export.hpp>

namespace ktrdr {

/// `integers` and `texts` are lists.
enum class OptionType { text, flag, integer, number, integers, texts };

/// One option of a strategy file: where it stands, what it may be and what it is for.
///
/// This is the only place that says so: the reader of strategies and the grammar of the Python side both ask here.
struct StrategyOption {
    /// Its keys from the top of the file: `model.training.learning_rate`.
    std::string_view path{};
    OptionType type{OptionType::text};
    /// What it is where the file is silent; null: nothing at all, and null may be said too.
    boost::json::value fallback{};
    /// The range of a number, or of each one in a list; null: no end on that side.
    boost::json::value least{};
    boost::json::value most{};
    /// Whether the ends of the range are themselves refused.
    bool open{false};
    /// Whether the file must say it.
    bool required{false};
    /// All that is allowed; empty: whatever type and range allow.
    std::vector<boost::json::value> choices{};
    /// A regular expression that the whole text matches; empty: any text.
    std::string_view pattern{};
    /// One line for help and documents.
    std::string_view words{};
};

/// In the order of a file. Lifetime: never destroyed.
[[nodiscard]] KTRDR_EXPORT const std::vector<StrategyOption>& strategy_options();
/// Null for a path that is no option.
[[nodiscard]] KTRDR_EXPORT const StrategyOption* find_strategy_option(std::string_view path);
/// What `value` must be and is not, as in "must be a whole number, at least 1 (it is 0)"; nothing where it is right.
[[nodiscard]] KTRDR_EXPORT std::optional<std::string> refusal(const StrategyOption& option,
                                                              const boost::json::value& value);
/// The table as JSON: `{path: {type, default, min, max, open, required, choices, pattern, help}}`.
[[nodiscard]] KTRDR_EXPORT boost::json::object strategy_option_specs();

}  // namespace ktrdr
