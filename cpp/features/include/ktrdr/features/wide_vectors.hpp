#pragma once

#include <utility>

/// Loops that are compiled twice: for every processor of the architecture, and for those whose vectors hold twice as
/// much.
///
/// What `work` calls is compiled into it, loops included, and nowhere else: a function that others share asks for no
/// more than the oldest processor has. Both give the same bits, since each operation is the same one, on more bars at
/// once.
namespace ktrdr {

#if defined(__x86_64__)
template <class Work>
[[gnu::target("avx2"), gnu::flatten]] auto with_avx2(Work work) {
    return work();
}

/// `work()`, in vectors as wide as this processor has them.
template <class Work>
auto in_wide_vectors(Work work) {
    static const bool has_avx2 = __builtin_cpu_supports("avx2") != 0;
    return has_avx2 ? with_avx2(std::move(work)) : work();
}
#else
template <class Work>
auto in_wide_vectors(Work work) {
    return work();
}
#endif

}  // namespace ktrdr
