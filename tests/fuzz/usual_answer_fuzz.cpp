// An answer that is read where it stands has the bars that it has when a value is made of it, to the bit.

#include <cstring>
#include <vector>

#include <ktrdr/base/json.hpp>
#include <ktrdr/data/ib_answers.hpp>

#include "fuzz.hpp"

namespace ktrdr::fuzz {
namespace {

constexpr UtcTime at(int hours) {
    return UtcTime{std::chrono::hours{hours}};
}

bool same_bits(const std::vector<double>& a, const std::vector<double>& b) {
    return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(double)) == 0);
}

void compare(const SourceAnswer& usual, const SourceAnswer& other) {
    require(usual.partial == other.partial && usual.dropped == other.dropped, "it lacks the same");
    const Bars& a = usual.bars;
    const Bars& b = other.bars;
    require(a.time == b.time && same_bits(a.open, b.open) && same_bits(a.high, b.high) && same_bits(a.low, b.low) &&
                same_bits(a.close, b.close) && same_bits(a.volume, b.volume),
            "it has the same bars");
}

}  // namespace
}  // namespace ktrdr::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace ktrdr;
    using namespace ktrdr::fuzz;
    const std::vector<char> exact(data, data + size);
    const std::string_view text(exact.data(), exact.size());
    const BarsWanted wanted{BarGrid(Timeframe::parse("1m").value()), {at(0), at(1'000'000)}, at(2'000'000), {}};
    const auto usual = read_usual_historical(text, wanted, "POST /x", {});
    if (!usual) {
        return 0;
    }
    boost::system::error_code error;
    const boost::json::value value = parse_json(without_mark(text), error);
    require(!error, "it is JSON");
    const auto other = read_historical(value, wanted, "POST /x", {});
    require(usual->has_value() == other.has_value(), "it is refused alike");
    if (*usual) {
        compare(usual->value(), *other);
    }
    return 0;
}
