// A CSV file of bars, read in pieces.

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <limits>
#include <thread>

#include <ktrdr/base/files.hpp>
#include <ktrdr/base/in_parts.hpp>
#include <ktrdr/data/own_bars.hpp>
#include <ktrdr/market/csv_reader.hpp>

namespace ktrdr {
namespace {

/// What is read at once: so little that it is still near the processor when it is parsed.
constexpr std::int64_t piece_size = 256 * 1024;

std::string reading_of(const std::filesystem::path& path) {
    return fmt::format("reading {}", path.filename().string());
}

Error no_file(const std::filesystem::path& path, int number) {
    if (number == ENOENT || number == ENOTDIR) {
        return fail(Errc::not_found, fmt::format("cannot import {}: there is no such file", path.string()),
                    {{"file", path.string()}});
    }
    return file_error("cannot import", path, number);
}

}  // namespace

Result<std::shared_ptr<CsvFile>> CsvFile::open(std::filesystem::path path) {
    // A FIFO would be waited for; it is refused below.
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0) {
        return no_file(path, errno);
    }
    struct ::stat about{};
    const bool known = ::fstat(descriptor, &about) == 0;
    std::shared_ptr<CsvFile> file(new CsvFile(std::move(path), descriptor, known ? about.st_size : 0));
    if (!known || !S_ISREG(about.st_mode)) {
        return fail(Errc::invalid_argument, fmt::format("cannot import {}: it is no plain file", file->path_.string()),
                    {{"file", file->path_.string()}});
    }
    return file;
}

CsvFile::~CsvFile() {
    ::close(descriptor_);
}

Result<void> CsvFile::feed(CsvReader& reader, std::int64_t begin, std::int64_t end,
                           const std::function<Result<void>(std::int64_t)>& on_piece) const {
    std::vector<char> piece(piece_size);
    while (begin < end) {
        if (const auto goes_on = on_piece(0); !goes_on) {
            return goes_on;
        }
        const auto most = std::min<std::int64_t>(end - begin, piece_size);
        const ssize_t got = ::pread(descriptor_, piece.data(), static_cast<std::size_t>(most), begin);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return no_file(path_, errno);
        }
        if (got == 0) {
            break;
        }
        if (const auto read = reader.feed({piece.data(), static_cast<std::size_t>(got)}); !read) {
            return read;
        }
        begin += got;
        if (const auto goes_on = on_piece(got); !goes_on) {
            return goes_on;
        }
    }
    return {};
}

std::vector<std::int64_t> CsvFile::cuts() const {
    // Shorter ones are read before a second thread has begun.
    constexpr std::int64_t shortest_part = std::int64_t{1} << 20;
    const auto parts = std::min<std::int64_t>(std::max(1U, std::thread::hardware_concurrency()), size_ / shortest_part);
    std::vector<std::int64_t> cuts{0};
    std::vector<char> line(CsvLimits{}.longest_line + 1);
    for (std::int64_t part = 1; part < parts; ++part) {
        const std::int64_t place = size_ * part / parts;
        const ssize_t got = ::pread(descriptor_, line.data(), line.size(), place);
        const std::string_view text(line.data(), got > 0 ? static_cast<std::size_t>(got) : 0);
        const std::size_t end = text.find('\n');
        if (end == std::string_view::npos) {
            return {};
        }
        cuts.push_back(place + static_cast<std::int64_t>(end) + 1);
    }
    cuts.push_back(size_);
    return cuts;
}

Result<bool> CsvFile::read_in_parts(CsvReader& reader, const CancellationToken& token,
                                    const std::function<void(std::int64_t)>& on_bytes, Executor& helpers) const {
    const std::vector<std::int64_t> at = cuts();
    if (at.size() < 3) {
        return false;
    }
    std::atomic<std::int64_t> bytes{0};
    std::atomic<bool> stopped{false};
    const auto on_piece = [&](bool here, std::int64_t got) -> Result<void> {
        bytes += got;
        if (here) {
            on_bytes(bytes);
        }
        return stopped ? Result<void>(fail(Errc::cancelled, "another part of the file has an error"))
                       : token.check(reading_of(path_));
    };
    const std::int64_t first = std::min<std::int64_t>(at[1], piece_size);
    const auto head = feed(reader, 0, first, [&](std::int64_t got) { return on_piece(true, got); });
    if (!head || !reader.knows_columns()) {
        return token.is_cancelled() ? Result<bool>(head.error()) : Result<bool>(false);
    }
    std::vector<CsvReader> below(at.size() - 2, reader.reader_below());
    in_parts(helpers, at.size() - 1, [&](std::size_t part, bool here) {
        try {
            CsvReader& own = part == 0 ? reader : below[part - 1];
            const std::int64_t begin = part == 0 ? first : at[part];
            if (part > 0) {
                own.expect(static_cast<std::size_t>(at[part + 1] - begin));
            }
            const auto fed = feed(own, begin, at[part + 1], [&](std::int64_t got) { return on_piece(here, got); });
            if (!fed || !own.end_part()) {
                stopped = true;
            }
        } catch (...) {
            // Whatever it is, the reader in one go meets it, too.
            stopped = true;
        }
    });
    if (const auto alive = token.check(reading_of(path_)); !alive) {
        return alive.error();
    }
    bool all = !stopped;
    for (CsvReader& part : below) {
        all = all && reader.take_below(std::move(part));
    }
    return all;
}

Result<OwnBars> CsvFile::read(const BarGrid& grid, UtcTime now, const CancellationToken& token,
                              const std::function<void(std::int64_t)>& on_bytes, Executor* helpers) const {
    const std::string name = path_.filename().string();
    const auto new_reader = [&] {
        auto made = std::make_unique<CsvReader>(name);
        made->expect(static_cast<std::size_t>(size_));
        return made;
    };
    auto reader = new_reader();
    const auto in_parts = helpers != nullptr ? read_in_parts(*reader, token, on_bytes, *helpers) : Result<bool>(false);
    if (!in_parts) {
        return in_parts.error();
    }
    if (!*in_parts) {
        reader = new_reader();
        std::int64_t bytes = 0;
        const auto fed = feed(*reader, 0, std::numeric_limits<std::int64_t>::max(), [&](std::int64_t got) {
            on_bytes(bytes += got);
            return token.check(reading_of(path_));
        });
        if (!fed) {
            return fed.error();
        }
    }
    auto bars = reader->finish();
    if (!bars) {
        return bars.error();
    }
    const auto fault = fault_of_own(*bars, grid, now, token, helpers);
    if (!fault) {
        return fault.error();
    }
    if (*fault) {
        const std::size_t line = reader->line_of((*fault)->row);
        Error error = to_error(**fault, *bars, fmt::format("{}: line {}", name, line));
        error.context["file"] = name;
        error.context["line"] = line;
        return error;
    }
    return OwnBars{std::make_shared<const Bars>(std::move(*bars)), reader->ignored(), reader->style()};
}

}  // namespace ktrdr
