// Zeroed, aligned memory that lives as long as one segment's model. No std:: containers in code that is compiled per
// instruction set: the linker may merge their functions between sets.
#pragma once

class Arena {
   public:
    Arena() = default;
    ~Arena() {
        while (blocks_) {
            void* next = *static_cast<void**>(blocks_);
            std::free(blocks_);
            blocks_ = next;
        }
    }
    Arena(const Arena&) = delete;
    Arena& operator=(const Arena&) = delete;

    // `count` objects, all bits zero, or null where memory is out (and good() is false from then on)
    template <class T>
    T* take(size_t count) {
        const size_t bytes = count * sizeof(T) + 192;  // the link, alignment, and a vector that is read past the end
        char* block = static_cast<char*>(std::calloc(bytes + 64, 1));
        if (!block) {
            good_ = false;
            return nullptr;
        }
        *reinterpret_cast<void**>(block) = blocks_;
        blocks_ = block;
        const uintptr_t place = (reinterpret_cast<uintptr_t>(block) + sizeof(void*) + 63) & ~uintptr_t{63};
        return reinterpret_cast<T*>(place);
    }
    bool good() const { return good_; }

   private:
    void* blocks_ = nullptr;
    bool good_ = true;
};
