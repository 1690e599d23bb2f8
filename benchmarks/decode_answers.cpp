// What it costs to make bars of an answer of the IB host service.
//
//   decode_answers ROUNDS JSON-FILE ARROW-FILE    prints a line for each: a name, a tab, the best CPU milliseconds, a
//                                                 tab, how many bars it has

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

#include <boost/json/value.hpp>

#include <ktrdr/base/json.hpp>
#include <ktrdr/data/ib_answers.hpp>
#include <ktrdr/market/time_text.hpp>

#include "cpu_seconds.hpp"

namespace {

using namespace ktrdr;

std::string content_of(const char* name) {
    std::ifstream file(name, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

BarsWanted everything() {
    const TimeRange range{parse_time("start", "1990-01-01").value(), parse_time("end", "2200-01-01").value()};
    return {BarGrid(Timeframe::parse("1m").value()), range, range.end, {}};
}

template <class Decode>
void measure(const char* name, int rounds, Decode decode) {
    double best = 1e18;
    std::size_t bars = 0;
    for (int round = 0; round < rounds; ++round) {
        const double began = cpu_seconds();
        {
            const Result<SourceAnswer> answer = decode();
            bars = answer ? answer->bars.size() : 0;
        }
        best = std::min(best, cpu_seconds() - began);
    }
    std::printf("%s\t%.6f\t%zu\n", name, best * 1000, bars);
}

}  // namespace

int main(int count, char** arguments) {
    if (count != 4) {
        return EXIT_FAILURE;
    }
    const int rounds = std::atoi(arguments[1]);
    const std::string text = content_of(arguments[2]);
    const std::string stream = content_of(arguments[3]);
    const BarsWanted wanted = everything();
    measure("json", rounds, [&] {
        auto read = read_usual_historical(text, wanted, "", {});
        return read ? std::move(*read) : Result<SourceAnswer>(SourceAnswer{});
    });
    measure("json by value", rounds, [&] { return read_historical(parse_json(text), wanted, "", {}); });
    measure("arrow", rounds, [&] { return read_historical_arrow(stream, wanted, "", {}); });
    return EXIT_SUCCESS;
}
