// A file of bars reads the same in pieces of any size; what is taken has six columns of one length, finite prices and a
// line for every row.

#include <ktrdr/market/csv_reader.hpp>

#include <algorithm>
#include <cmath>

#include "fuzz.hpp"

namespace ktrdr::fuzz {
namespace {

constexpr CsvLimits limits{.longest_line = 256, .most_rows = 64};

Result<Bars> read(std::string_view text, std::size_t piece) {
    CsvReader reader("a.csv", limits);
    for (std::size_t at = 0; at < text.size(); at += piece) {
        if (const auto fed = reader.feed(text.substr(at, piece)); !fed) {
            require(fed.error().code == Errc::invalid_argument, "what cannot be read is a wrong argument");
            require(fed.error().message.starts_with("a.csv"), "an error names the file");
            return fed.error();
        }
    }
    auto bars = reader.finish();
    if (bars) {
        for (std::size_t row = 0; row < bars->size(); ++row) {
            require(reader.line_of(row) > row + 1, "the first line is no row");
            require(row == 0 || reader.line_of(row) > reader.line_of(row - 1), "a line has one row");
        }
    }
    return bars;
}

void check(const Bars& bars) {
    require(!bars.empty() && bars.size() <= limits.most_rows, "there are as many bars as may be");
    require(bars.check_lengths().has_value(), "columns have one length");
    for (const auto* column : {&bars.open, &bars.high, &bars.low, &bars.close, &bars.volume}) {
        require(std::all_of(column->begin(), column->end(), [](double value) { return std::isfinite(value); }),
                "a number is finite");
    }
}

}  // namespace
}  // namespace ktrdr::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace ktrdr;
    using namespace ktrdr::fuzz;
    const std::string_view text = text_of(data, size);
    const auto whole = read(text, std::max<std::size_t>(size, 1));
    const auto parts = read(text, 1 + size % 7);
    require(whole.has_value() == parts.has_value(), "pieces are read as the whole");
    if (whole) {
        check(*whole);
        require(*whole == *parts, "pieces are read as the whole");
    } else {
        require(whole.error().message == parts.error().message, "pieces are refused as the whole");
    }
    return 0;
}
