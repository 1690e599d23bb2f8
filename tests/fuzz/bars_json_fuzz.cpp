// What an IB host service answers becomes bars in order, inside the segment and closed, or an error that names the
// answer.

#include <boost/json/parse.hpp>
#include <cmath>

#include <ktrdr/base/json.hpp>
#include <ktrdr/cancellation/token.hpp>
#include <ktrdr/data/ib_answers.hpp>

#include "fuzz.hpp"

namespace ktrdr::fuzz {
namespace {

constexpr UtcTime at(int hours) {
    return UtcTime{std::chrono::hours{473'000 + hours}};
}

void require_refusal(const Error& error) {
    require(error.code == Errc::protocol || error.code == Errc::host_service || error.code == Errc::symbol_unknown,
            "a refusal is the service's fault");
    require(error.message.starts_with("POST /x"), "it names what was asked");
}

void check_bars(const boost::json::value& answer, const char* timeframe) {
    const BarsWanted wanted{.grid = BarGrid::make(Timeframe::parse(timeframe).value(), nullptr, {}).value(),
                            .segment = {at(0), at(2400)},
                            .now = at(2000),
                            .asked = {at(-100), at(2500)}};
    const auto read = read_historical(answer, wanted, "POST /x", {});
    if (!read) {
        require_refusal(read.error());
        return;
    }
    const Bars& bars = read->bars;
    require(bars.check().has_value(), "bars are in order, each once");
    for (std::size_t i = 0; i < bars.size(); ++i) {
        require(wanted.segment.contains(bars.start_of(i)), "a bar is inside the segment");
        require(wanted.grid.is_closed(bars.start_of(i), wanted.now), "a bar is closed");
        require(std::isfinite(bars.open[i]) && std::isfinite(bars.high[i]) && std::isfinite(bars.low[i]) &&
                    std::isfinite(bars.close[i]) && std::isfinite(bars.volume[i]),
                "a number is finite");
    }
    for (const auto& row : read->dropped) {
        require(wanted.segment.contains(row.start) && !row.why.empty(), "a row that is left out has a reason");
    }
}

void check_answer(const boost::json::value& answer) {
    check_bars(answer, "1h");
    check_bars(answer, "1d");
    if (const auto contract = read_validation(answer, "AAPL", "POST /x"); !contract) {
        require_refusal(contract.error());
    }
    if (const auto first = read_head_timestamp(answer, "POST /x"); !first) {
        require_refusal(first.error());
    }
}

}  // namespace
}  // namespace ktrdr::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace ktrdr;
    using namespace ktrdr::fuzz;
    const std::string_view text = text_of(data, size);
    boost::system::error_code error;
    if (const auto answer = parse_json(text, error); !error) {
        check_answer(answer);
    }
    // Also as the table that stands as text inside of an answer.
    check_answer(boost::json::object{{"success", true}, {"data", text}, {"rows", size % 3}});
    return 0;
}
