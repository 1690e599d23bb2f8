#include <ktrdr/runtime/mailbox.hpp>

#include <gtest/gtest.h>

#include <thread>

#include <ktrdr/runtime/log_queue.hpp>

namespace ktrdr {
namespace {

using namespace std::chrono_literals;

Mail progress(std::uint64_t key, std::int64_t step, double percentage) {
    Mail mail{Mail::Kind::progress, key, {}, std::nullopt};
    mail.progress.current_step = step;
    mail.progress.percentage = percentage;
    return mail;
}

TEST(Mailbox, IsReadableWhileSomethingWaits) {
    Mailbox mailbox;
    EXPECT_FALSE(mailbox.wait_for(0ms));
    mailbox.post({Mail::Kind::finished, 7, {}, std::nullopt});
    EXPECT_TRUE(mailbox.wait_for(0ms));
    const auto mails = mailbox.take();
    ASSERT_EQ(mails.size(), 1U);
    EXPECT_EQ(mails.front().key, 7U);
    EXPECT_FALSE(mailbox.wait_for(0ms));
}

TEST(Mailbox, KeepsOnlyTheNewestStateOfAStepNobodyTook) {
    Mailbox mailbox;
    mailbox.post(progress(1, 1, 10));
    mailbox.post(progress(1, 1, 20));
    mailbox.post(progress(2, 1, 5));
    mailbox.post(progress(1, 2, 30));
    mailbox.post(progress(1, 2, 40));
    const auto mails = mailbox.take();
    ASSERT_EQ(mails.size(), 3U);
    EXPECT_EQ(mails[0].progress.percentage, 20);
    EXPECT_EQ(mails[1].key, 2U);
    EXPECT_EQ(mails[2].progress.percentage, 40);
}

TEST(Mailbox, NeverMergesAcrossAFinish) {
    Mailbox mailbox;
    mailbox.post(progress(1, 1, 10));
    mailbox.post({Mail::Kind::finished, 1, {}, std::nullopt});
    mailbox.post(progress(1, 1, 20));
    EXPECT_EQ(mailbox.take().size(), 3U);
}

TEST(Mailbox, StaysReadableWhileNotAllWasTaken) {
    Mailbox mailbox;
    for (std::uint64_t key = 0; key < 5; ++key) {
        mailbox.post({Mail::Kind::finished, key, {}, std::nullopt});
    }
    const auto first = mailbox.take(3);
    ASSERT_EQ(first.size(), 3U);
    EXPECT_EQ(first.back().key, 2U);
    EXPECT_TRUE(mailbox.wait_for(0ms));
    const auto rest = mailbox.take(3);
    ASSERT_EQ(rest.size(), 2U);
    EXPECT_EQ(rest.back().key, 4U);
    EXPECT_FALSE(mailbox.wait_for(0ms));
}

TEST(Mailbox, LosesNothingBetweenManyWritersAndOneReader) {
    Mailbox mailbox;
    constexpr std::uint64_t each = 2000;
    std::vector<std::thread> writers;
    for (std::uint64_t writer = 0; writer < 4; ++writer) {
        writers.emplace_back([&mailbox, writer] {
            for (std::uint64_t i = 0; i < each; ++i) {
                mailbox.post({Mail::Kind::finished, writer * each + i, {}, std::nullopt});
            }
        });
    }
    std::vector<bool> seen(4 * each);
    for (std::size_t count = 0; count < seen.size();) {
        ASSERT_TRUE(mailbox.wait_for(20s)) << count << " of " << seen.size();
        for (const Mail& mail : mailbox.take()) {
            EXPECT_FALSE(seen.at(mail.key));
            seen.at(mail.key) = true;
            ++count;
        }
    }
    for (std::thread& writer : writers) {
        writer.join();
    }
}

TEST(LogQueue, WakesItsReadersAndCountsWhatItDrops) {
    LogQueue queue(2);
    const auto mailbox = std::make_shared<Mailbox>();
    queue.add_reader(mailbox);
    for (int i = 0; i < 5; ++i) {
        queue.write({LogLevel::info, "test", "line", "", {}});
    }
    EXPECT_TRUE(mailbox->wait_for(0ms));
    const auto records = queue.take();
    ASSERT_EQ(records.size(), 3U);
    EXPECT_EQ(records.back().message, "log queue full: 3 records dropped (limit 2)");
    EXPECT_TRUE(queue.take().empty());
}

}  // namespace
}  // namespace ktrdr
