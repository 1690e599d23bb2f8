// Whatever a service asks for is a time that can be waited.

#include <retry_after.hpp>

#include "fuzz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace ktrdr;
    using namespace ktrdr::fuzz;
    for (const std::int64_t now : {0L, 784'111'777L, 9'000'000'000L}) {
        const auto pause = parse_retry_after(text_of(data, size), UtcTime(std::chrono::seconds{now}));
        require(!pause || (pause->count() >= 0 && *pause <= std::chrono::hours{24 * 365}), "a pause within a year");
    }
    return 0;
}
