// Any bytes are an Arrow stream whose bars have columns of one length, or are refused with words; what is refused in
// full is refused, or cut short without the mark of its end, at every cut.

#include <ktrdr/market/arrow_stream.hpp>

#include <vector>

#include "fuzz.hpp"

namespace ktrdr::fuzz {
namespace {

Result<StreamedBars> read(const std::uint8_t* data, std::size_t size) {
    // In memory of just its size, so that the sanitizer sees who reads behind it.
    const std::vector<char> exact(data, data + size);
    auto streamed = read_arrow_stream({exact.data(), exact.size()});
    if (!streamed) {
        require(streamed.error().code == Errc::invalid_argument, "what cannot be read is a wrong argument");
        require(!streamed.error().message.empty() && streamed.error().message.size() < 4096, "a refusal has words");
        return streamed;
    }
    require(streamed->given.bars.check_lengths().has_value(), "columns have one length");
    require(streamed->given.bars.size() * sizeof(std::int32_t) <= size, "a row has bytes of its own");
    return streamed;
}

}  // namespace
}  // namespace ktrdr::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace ktrdr::fuzz;
    const auto whole = read(data, size);
    if (size > 0) {
        const auto part = read(data, size - 1);
        ktrdr::fuzz::require(!part || !whole || part->given.bars.size() <= whole->given.bars.size(),
                             "a part has no more than the whole");
    }
    return 0;
}
