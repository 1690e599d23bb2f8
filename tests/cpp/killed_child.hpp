#pragma once

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <string>

namespace ktrdr::test {

/// When a process is killed: so long after it has said so many lines, or has said `end`.
struct KilledAt {
    std::ptrdiff_t lines{0};
    std::chrono::microseconds later{};
};

/// Have `work(fd)` run in a process of its own, kill that, and answer all that it had written to the descriptor.
template <class Work>
std::string said_before_death(KilledAt moment, Work work) {
    int ends[2];
    EXPECT_EQ(pipe(ends), 0);
    const pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        work(ends[1]);
        _exit(0);
    }
    close(ends[1]);
    std::string text;
    const auto read_once = [&] {
        char buffer[4096];
        const auto count = read(ends[0], buffer, sizeof buffer);
        text.append(buffer, count > 0 ? static_cast<std::size_t>(count) : 0);
        return count > 0;
    };
    const auto over = [&text] { return text.ends_with("end\n"); };
    while (std::count(text.begin(), text.end(), '\n') < moment.lines && !over() && read_once()) {
    }
    const auto until = std::chrono::steady_clock::now() + moment.later;
    for (auto now = until - moment.later; now < until && !over(); now = std::chrono::steady_clock::now()) {
        const auto left = std::chrono::duration_cast<std::chrono::nanoseconds>(until - now).count();
        const timespec wait{static_cast<time_t>(left / 1'000'000'000), left % 1'000'000'000};
        if (pollfd ready{ends[0], POLLIN, 0}; ppoll(&ready, 1, &wait, nullptr) > 0) {
            read_once();
        }
    }
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
    while (read_once()) {
    }
    close(ends[0]);
    return text;
}

}  // namespace ktrdr::test
