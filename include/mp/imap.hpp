/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * imap: results one by one. */
#ifndef MP_IMAP_HPP
#define MP_IMAP_HPP

#include <mp/codec.hpp>

#include <memory>

namespace mp {

/* The results of a function for the items of a range, one after the other: mp_imap. The range is
 * read as results are taken; one that has a name must outlive it. */
template <class R>
class imap : public detail::handle<mp_imap, mp_imap_free> {
public:
    /* The range and where it is. */
    struct source {
        virtual ~source() = default;
        /* The next item's bytes; false at the end. */
        virtual bool next(bytes_view &item) = 0;
        std::exception_ptr thrown;

        static int pull(mp_bytes *item, void *user) noexcept
        {
            auto *self = static_cast<source *>(user);
            try {
                bytes_view bytes;
                if (!self->next(bytes))
                    return 0;
                *item = {bytes.data(), bytes.size()};
                return 1;
            } catch (...) {
                self->thrown = std::current_exception();
                return -1;
            }
        }
    };
    imap(given_handle<mp_imap> given, std::unique_ptr<source> from) noexcept : handle(given), source_(std::move(from)) {}
    /* The handle goes before its source. */
    imap(imap &&) noexcept = default;
    imap &operator=(imap &&) = delete;
    ~imap() { mp_imap_free(release()); }

    /* The next result; nothing at the end. An item that failed is an error, and the next one comes
     * all the same. What the range throws comes out of here. */
    std::optional<R> next(timeout limit = forever) { return next(std::nothrow, limit).value(); }
    result<std::optional<R>> next(std::nothrow_t, timeout limit = forever)
    {
        mp_buffer *value = nullptr;
        const int status = mp_imap_next(native(), limit, &value, &index_);
        const detail::buffer message{adopt(value)};

        if (status == MP_ERR_EOF)
            return std::optional<R>();
        if (status < 0) {
            if (source_ && source_->thrown)
                std::rethrow_exception(std::exchange(source_->thrown, nullptr));
            return error(status);
        }
        result<R> got = detail::try_unpacked<R>(detail::view(message));
        if (!got)
            return got.error();
        return std::optional<R>(std::move(*got));
    }
    /* The place in the range of the item that next() was about last. */
    std::size_t index() const noexcept { return index_; }

    /* For range-for. */
    class iterator {
    public:
        using iterator_category = std::input_iterator_tag;
        using value_type = R;
        using difference_type = std::ptrdiff_t;
        using pointer = R *;
        using reference = R &;

        iterator() = default;
        explicit iterator(imap *from) : from_(from) { ++*this; }
        R &operator*() { return *value_; }
        R *operator->() { return &*value_; }
        iterator &operator++()
        {
            value_ = from_->next();
            if (!value_)
                from_ = nullptr;
            return *this;
        }
        void operator++(int) { ++*this; }
        friend bool operator==(const iterator &a, const iterator &b) { return a.from_ == b.from_; }
        friend bool operator!=(const iterator &a, const iterator &b) { return a.from_ != b.from_; }

    private:
        imap *from_ = nullptr;
        std::optional<R> value_;
    };
    iterator begin() { return iterator(this); }
    iterator end() { return iterator(); }

private:
    std::unique_ptr<source> source_;
    std::size_t index_ = 0;
};

} // namespace mp

#endif
