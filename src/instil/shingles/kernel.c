/* Words, shingles and MinHash signatures of texts, for whole batches of rows.
 *
 *   - Words are those of `data/words.py`: what is a letter and what its lower case is comes in tables that the
 *     running Python fills in (letters.py). A word is hashed by its lower-case UTF-8 bytes, eight at a time.
 *   - A shingle is the hash of `ngram` words in a row (Karp and Rabin, 1987: each follows from the one before),
 *     modulo 2^64, mixed. A text of fewer words has one shingle, of all of them. Shingles do not cross texts.
 *   - A signature holds for each permutation of the 32-bit numbers the least image of a row's shingles
 *     (MinHash: Broder, 1997). The permutations are linear, x -> a x + b modulo 2^32 with odd a (Broder,
 *     Charikar, Frieze and Mitzenmacher, 1998), which is enough where the x are random (Bohman, Cooper and
 *     Frieze, 2000), as mixed hashes are.
 *   - A band is the hash of some of the minima, so that rows with an equal band are found by sorting (Indyk
 *     and Motwani, 1998).
 *
 * Everything is arithmetic on unsigned numbers of fixed size, so that results are equal on every machine.
 * The functions keep no state, and all memory is the caller's.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>
#define WIDE __attribute__((target("avx2")))
#define INLINE static inline __attribute__((always_inline))
#else
#define INLINE static inline
#endif

#define CHUNK 256                         /* words that are read at a time */
#define VALUES 1024                       /* shingles whose minima are taken at a time */
#define LANES 32                          /* permutations whose minima are taken at a time */
#define LETTERS 0x20000u                  /* code points that the tables know */
#define SEED UINT64_C(0x9E3779B97F4A7C15) /* 2^64 divided by the golden ratio */
#define BASE UINT64_C(0x5851F42D4C957F2D) /* the multiplier of Knuth's MMIX generator */
#define BEYOND_ASCII 0x80                 /* in the table of bytes: a larger code point begins here */
#define DIFFICULT 0x81                    /* the same, and it may be one that the tables do not settle */
#define NONE INT64_C(-1)

enum { SEPARATOR = 0, LETTER = 1, SINGLE = 2, MARK = 3 }; /* kinds of code points, as in letters.py */

typedef struct {
    const uint8_t *bytes;    /* 256: lower case of ASCII letters, 0 for what is none, or a mark from above */
    const uint32_t *letters; /* LETTERS: lower case | kind << 24 | difficult << 31 */
} Alphabet;

typedef struct {
    const uint8_t *data;
    const void *ends, *rows; /* of strings in the data, and of rows in the strings: one more than there are */
    int64_t row_count;
    int32_t wide_ends, wide_rows; /* whether they are 64-bit numbers */
} Texts;

typedef struct {
    uint64_t ngram;
    uint64_t *words; /* room for ngram + CHUNK of them */
} Shingling;

static inline int64_t offset(const void *offsets, int32_t wide, int64_t index) {
    return wide ? ((const int64_t *)offsets)[index] : ((const int32_t *)offsets)[index];
}

static inline int64_t first_string(const Texts *texts, int64_t row) {
    return offset(texts->rows, texts->wide_rows, row);
}

/* Mixes 64 bits, each result having one origin (Stafford's variant 13, as in SplitMix64). */
static inline uint64_t mix(uint64_t x) {
    x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
    return x ^ (x >> 31);
}

/* ---- words ---- */

typedef struct {
    const uint8_t *at, *end;
} Text;

static inline Text text_of(const Texts *texts, int64_t string) {
    return (Text){texts->data + offset(texts->ends, texts->wide_ends, string),
                  texts->data + offset(texts->ends, texts->wide_ends, string + 1)};
}

/* Reads a code point beyond ASCII. What is cut off is read as a control character. */
static inline uint32_t code_point(Text *text) {
    const uint8_t *at = text->at;
    uint32_t lead = *at;
    int more = lead >= 0xF0 ? 3 : lead >= 0xE0 ? 2 : 1;
    if (text->end - at <= more) {
        text->at++;
        return 0;
    }
    text->at += more + 1;
    if (more == 1) return (lead & 0x1F) << 6 | (at[1] & 0x3Fu);
    if (more == 2) return (lead & 0x0F) << 12 | (at[1] & 0x3Fu) << 6 | (at[2] & 0x3Fu);
    return (lead & 0x07) << 18 | (at[1] & 0x3Fu) << 12 | (at[2] & 0x3Fu) << 6 | (at[3] & 0x3Fu);
}

/* Returns what the table says; what lies beyond it is a letter without cases. */
static inline uint32_t letter(const Alphabet *alphabet, uint32_t code) {
    return code < LETTERS ? alphabet->letters[code] : code | (uint32_t)LETTER << 24;
}

/* Returns the bytes of a code point, the first one highest. */
static inline uint32_t utf8(uint32_t code) {
    if (code < 0x80) return code;
    if (code < 0x800) return 0xC080 | (code & 0x7C0) << 2 | (code & 0x3F);
    if (code < 0x10000) return 0xE08080 | (code & 0xF000) << 4 | (code & 0xFC0) << 2 | (code & 0x3F);
    return 0xF0808080 | (code & 0x1C0000) << 6 | (code & 0x3F000) << 4 | (code & 0xFC0) << 2 | (code & 0x3F);
}

typedef struct {
    uint64_t hash, bytes; /* of what was read so far: of all groups of eight bytes, and what follows them */
} Word;

static inline void push(Word *word, uint32_t byte) {
    word->bytes = word->bytes << 8 | byte; /* no byte of a word is 0 */
    if (word->bytes >> 56) {
        word->hash = mix(word->hash ^ word->bytes);
        word->bytes = 0;
    }
}

static inline void push_code_point(Word *word, uint32_t code) {
    uint32_t bytes = utf8(code);
    for (int shift = 24; shift >= 0; shift -= 8)
        if (bytes >> shift) push(word, bytes >> shift & 0xFF);
}

#define EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

/* Returns how many of eight bytes, from the first on, are ASCII letters or digits, and in `lower_case` these
 * alone, the first one highest. */
static inline int ascii_letters(const uint8_t *at, uint64_t *lower_case) {
    uint64_t bytes = 0;
    for (int i = 0; i < 8; i++) bytes = bytes << 8 | at[i]; /* compilers make one load of it */
    uint64_t low = bytes & EACH(0x7F), lower = low | EACH(0x20);
    /* Sums that reach the highest bit of their byte: at least the first of a range, more than the last. */
    uint64_t letters = (lower + EACH(0x80 - 'a')) & ~(lower + EACH(0x7F - 'z'));
    uint64_t digits = (low + EACH(0x80 - '0')) & ~(low + EACH(0x7F - '9'));
    uint64_t others = ~((letters | digits) & ~bytes) & EACH(0x80);
    int count = others ? __builtin_clzll(others) / 8 : 8;
    *lower_case = count ? lower >> (64 - 8 * count) : 0;
    return count;
}

/* Writes the hashes of words until there is no room for two more, or the text ends; returns how many. */
static size_t read_words(const Alphabet *alphabet, Text *text, uint64_t *words, size_t room) {
    size_t count = 0;
    while (count + 2 <= room) {
        uint8_t byte = 0;
        while (text->at < text->end && !(byte = alphabet->bytes[*text->at])) text->at++;
        if (text->at == text->end) break;
        Word word = {SEED, 0};
        do {
            if (byte < BEYOND_ASCII && !word.bytes && text->end - text->at >= 8) {
                int count = ascii_letters(text->at, &word.bytes);
                text->at += count;
                if (count < 8) continue;
                word = (Word){mix(word.hash ^ word.bytes), 0};
                continue;
            }
            if (byte < BEYOND_ASCII) {
                text->at++;
                push(&word, byte);
                continue;
            }
            uint32_t found = letter(alphabet, code_point(text));
            uint32_t code = found & 0x1FFFFF, kind = found >> 24 & 3;
            int inside = word.bytes != 0 || word.hash != SEED;
            if (kind == LETTER || (kind == MARK && inside)) {
                push_code_point(&word, code);
                continue;
            }
            if (kind == SEPARATOR) break;
            if (inside) words[count++] = mix(word.hash ^ word.bytes);
            word = (Word){SEED, utf8(code)};
            break;
        } while (text->at < text->end && (byte = alphabet->bytes[*text->at]));
        if (word.bytes != 0 || word.hash != SEED) words[count++] = mix(word.hash ^ word.bytes);
    }
    return count;
}

/* ---- shingles ---- */

typedef struct {
    Text text;
    uint64_t read;    /* words that were read before the present ones */
    uint64_t rolling; /* the sum of the last ngram words by powers of BASE */
    uint64_t first;   /* the word at which the first of the present shingles begins */
    int more;
} Reader;

static inline Reader open_text(const Shingling *shingling, Text text) {
    memset(shingling->words, 0, shingling->ngram * sizeof *shingling->words);
    return (Reader){text, 0, 0, 0, 1};
}

static uint64_t power_of(uint64_t exponent) {
    uint64_t power = 1, square = BASE;
    for (; exponent; exponent >>= 1, square *= square)
        if (exponent & 1) power *= square;
    return power;
}

/* Writes the next shingles of a text, CHUNK at most; returns how many. */
static inline size_t next_shingles(const Alphabet *alphabet, const Shingling *shingling, uint64_t power,
                                   Reader *reader, uint64_t *shingles) {
    uint64_t ngram = shingling->ngram, rolling = reader->rolling;
    uint64_t *old = shingling->words, *words = old + ngram; /* before its beginning a text has zeros */
    size_t count = read_words(alphabet, &reader->text, words, CHUNK), found = 0;
    uint64_t lacking = reader->read + 1 < ngram ? ngram - 1 - reader->read : 0;
    reader->first = reader->read + 1 > ngram ? reader->read + 1 - ngram : 0;
    for (size_t i = 0; i < count; i++) {
        rolling = rolling * BASE + (words[i] - old[i] * power);
        if (i >= lacking) shingles[found++] = mix(rolling + ngram * SEED);
    }
    reader->read += count;
    reader->rolling = rolling;
    reader->more = reader->text.at < reader->text.end;
    if (reader->more) memmove(old, old + count, ngram * sizeof *old);
    else if (reader->read && reader->read < ngram) shingles[found++] = mix(rolling + reader->read * SEED);
    return found;
}

/* ---- minima ---- */

/* Lowers the minima by the images of values; the number of permutations is a multiple of LANES. */
INLINE void take_minima(const uint32_t *values, size_t count, const uint32_t *multipliers,
                        const uint32_t *summands, uint32_t *minima, size_t permutations) {
    for (size_t start = 0; start < permutations; start += LANES) {
        uint32_t a[LANES], b[LANES], least[LANES];
        memcpy(a, multipliers + start, sizeof a);
        memcpy(b, summands + start, sizeof b);
        memcpy(least, minima + start, sizeof least);
        for (size_t i = 0; i < count; i++) {
            for (size_t lane = 0; lane < LANES; lane++) {
                uint32_t image = a[lane] * values[i] + b[lane];
                least[lane] = image < least[lane] ? image : least[lane];
            }
        }
        memcpy(minima + start, least, sizeof least);
    }
}

typedef void TakeMinima(const uint32_t *, size_t, const uint32_t *, const uint32_t *, uint32_t *, size_t);

static void take_minima_portably(const uint32_t *values, size_t count, const uint32_t *multipliers,
                           const uint32_t *summands, uint32_t *minima, size_t permutations) {
    take_minima(values, count, multipliers, summands, minima, permutations);
}

#ifdef WIDE
WIDE static void take_minima_fast(const uint32_t *values, size_t count, const uint32_t *multipliers,
                            const uint32_t *summands, uint32_t *minima, size_t permutations) {
    take_minima(values, count, multipliers, summands, minima, permutations);
}

/* Whether the processor has AVX2 and the system keeps its registers. Not __builtin_cpu_supports: with the
 * compiler of the package `ziglang` it always says no. */
static int has_avx2(void) {
    uint32_t a, b, c, d, kept, unused;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE)) return 0;
    __asm__("xgetbv" : "=a"(kept), "=d"(unused) : "c"(0));
    return (kept & 6) == 6 && __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & bit_AVX2);
}

static TakeMinima *best_take_minima(void) { return has_avx2() ? take_minima_fast : take_minima_portably; }
#else
static TakeMinima *best_take_minima(void) { return take_minima_portably; }
#endif

typedef struct {
    uint64_t permutations;                 /* a multiple of LANES */
    const uint32_t *multipliers, *summands; /* one for each */
    uint32_t *minima;                      /* room for one of each */
} MinHash;

/* Writes the minima of a row; returns whether it has any shingle. */
static int row_minima(const Alphabet *alphabet, const Texts *texts, const Shingling *shingling, uint64_t power,
                      const MinHash *minhash, TakeMinima *take, int64_t row) {
    uint64_t shingles[CHUNK];
    uint32_t values[VALUES];
    size_t held = 0;
    int any = 0;
    memset(minhash->minima, 0xFF, minhash->permutations * sizeof *minhash->minima);
    for (int64_t string = first_string(texts, row); string < first_string(texts, row + 1); string++) {
        for (Reader reader = open_text(shingling, text_of(texts, string)); reader.more;) {
            size_t count = next_shingles(alphabet, shingling, power, &reader, shingles);
            if (held + count > VALUES) {
                take(values, held, minhash->multipliers, minhash->summands, minhash->minima,
                      minhash->permutations);
                held = 0;
            }
            for (size_t i = 0; i < count; i++) values[held++] = (uint32_t)(shingles[i] >> 32);
            any |= count > 0;
        }
    }
    take(values, held, minhash->multipliers, minhash->summands, minhash->minima, minhash->permutations);
    return any;
}

/* ---- interface: every function takes whole texts, and writes one result for each row ---- */

/* Which source this library was made of. */
const char *shingles_source(void) { return SOURCE_DIGEST; }

/* Marks the strings that hold a code point which the tables do not settle; returns how many there are. */
int64_t shingles_difficult(const Alphabet *alphabet, const Texts *texts, int64_t strings, uint8_t *marks) {
    int64_t found = 0;
    for (int64_t string = 0; string < strings; string++) {
        Text text = text_of(texts, string);
        marks[string] = 0;
        while (text.at < text.end && !marks[string]) {
            uint64_t eight;
            if (text.end - text.at >= 8) {
                memcpy(&eight, text.at, 8);
                if (!(eight & UINT64_C(0x8080808080808080))) {
                    text.at += 8;
                    continue;
                }
            }
            if (alphabet->bytes[*text.at] != DIFFICULT) {
                text.at++;
                continue;
            }
            uint32_t code = code_point(&text);
            marks[string] = code >= LETTERS || alphabet->letters[code] >> 31;
        }
        found += marks[string];
    }
    return found;
}

/* Writes how many words and how many shingles, equal ones included, each row has. */
void shingles_count(const Alphabet *alphabet, const Texts *texts, const Shingling *shingling, uint32_t *words,
                    int64_t *shingles) {
    for (int64_t row = 0; row < texts->row_count; row++) {
        uint64_t all = 0, runs = 0;
        for (int64_t string = first_string(texts, row); string < first_string(texts, row + 1); string++) {
            Text text = text_of(texts, string);
            uint64_t count = 0;
            while (text.at < text.end) count += read_words(alphabet, &text, shingling->words, CHUNK);
            all += count;
            runs += count >= shingling->ngram ? count - shingling->ngram + 1 : count > 0;
        }
        words[row] = (uint32_t)all;
        shingles[row] = (int64_t)runs;
    }
}

/* Writes the shingles of all rows, each as often as it occurs, and where each row's end. */
void shingles_list(const Alphabet *alphabet, const Texts *texts, const Shingling *shingling, uint64_t *shingles,
                   int64_t *ends) {
    uint64_t power = power_of(shingling->ngram);
    int64_t count = 0;
    for (int64_t row = 0; row < texts->row_count; row++) {
        for (int64_t string = first_string(texts, row); string < first_string(texts, row + 1); string++)
            for (Reader reader = open_text(shingling, text_of(texts, string)); reader.more;)
                count += (int64_t)next_shingles(alphabet, shingling, power, &reader, shingles + count);
        ends[row] = count;
    }
}

static int compare(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* Sorts the shingles of each row and leaves one of equals, in place; returns how many there are. */
int64_t shingles_unique(uint64_t *shingles, int64_t *ends, int64_t rows) {
    int64_t kept = 0, start = 0;
    for (int64_t row = 0; row < rows; row++) {
        int64_t end = ends[row], first = kept;
        qsort(shingles + start, (size_t)(end - start), sizeof *shingles, compare);
        for (int64_t i = start; i < end; i++)
            if (kept == first || shingles[i] != shingles[kept - 1]) shingles[kept++] = shingles[i];
        start = end;
        ends[row] = kept;
    }
    return kept;
}

static const uint64_t *row_start(const uint64_t *shingles, const int64_t *ends, int64_t row) {
    return row ? shingles + ends[row - 1] : shingles;
}

/* Writes the Jaccard similarity of pairs of rows, 0 where neither has a shingle. */
void shingles_jaccard(const uint64_t *shingles, const int64_t *ends, const int64_t *left, const int64_t *right,
                      int64_t pairs, double *similarities) {
    for (int64_t pair = 0; pair < pairs; pair++) {
        const uint64_t *a = row_start(shingles, ends, left[pair]), *a_end = shingles + ends[left[pair]];
        const uint64_t *b = row_start(shingles, ends, right[pair]), *b_end = shingles + ends[right[pair]];
        int64_t all = (a_end - a) + (b_end - b), common = 0;
        while (a < a_end && b < b_end) {
            uint64_t x = *a, y = *b;
            common += x == y;
            a += x <= y;
            b += y <= x;
        }
        similarities[pair] = all ? (double)common / (double)(all - common) : 0.0;
    }
}

/* Writes the minima of each row under `width` permutations; those of a row without words are all ones. */
void shingles_signatures(const Alphabet *alphabet, const Texts *texts, const Shingling *shingling,
                         const MinHash *minhash, int64_t width, uint32_t *signatures) {
    TakeMinima *take = best_take_minima();
    uint64_t power = power_of(shingling->ngram);
    for (int64_t row = 0; row < texts->row_count; row++) {
        row_minima(alphabet, texts, shingling, power, minhash, take, row);
        memcpy(signatures + row * width, minhash->minima, (size_t)width * sizeof *signatures);
    }
}

/* Writes `bands` hashes of `per_band` minima for each row; those of a row without words are 0, others never. */
void shingles_bands(const Alphabet *alphabet, const Texts *texts, const Shingling *shingling,
                    const MinHash *minhash, int64_t bands, int64_t per_band, uint64_t *hashes) {
    TakeMinima *take = best_take_minima();
    uint64_t power = power_of(shingling->ngram);
    for (int64_t row = 0; row < texts->row_count; row++) {
        int any = row_minima(alphabet, texts, shingling, power, minhash, take, row);
        const uint32_t *minimum = minhash->minima;
        for (int64_t band = 0; band < bands; band++) {
            uint64_t hash = 0;
            for (int64_t i = 0; i < per_band; i++) hash = hash * BASE + *minimum++;
            hash = mix(hash + ((uint64_t)band + 1) * SEED);
            *hashes++ = any ? hash + !hash : 0;
        }
    }
}

typedef struct {
    const uint8_t *sieve; /* a bit for each value of a shingle's lowest bits: whether any known one has it */
    uint64_t sieve_mask;
    const uint64_t *shingles; /* sorted */
    const int64_t *starts;    /* where those with each value of the highest bits begin; one more than values */
    int64_t shift;            /* how far the highest bits are from the lowest */
} Known;

static inline int64_t position_of(const Known *known, uint64_t shingle) {
    uint64_t bit = shingle & known->sieve_mask;
    if (!(known->sieve[bit >> 3] >> (bit & 7) & 1)) return NONE;
    const int64_t *start = known->starts + (shingle >> known->shift);
    for (int64_t i = start[0]; i < start[1]; i++)
        if (known->shingles[i] == shingle) return i;
    return NONE;
}

/* Writes for each row the first of its shingles that is known: its position among those, the string in which
 * it is, and the word at which it begins; NONE where there is none. */
void shingles_find(const Alphabet *alphabet, const Texts *texts, const Shingling *shingling, const Known *known,
                   int64_t *positions, int64_t *strings, int64_t *words) {
    uint64_t power = power_of(shingling->ngram), shingles[CHUNK];
    for (int64_t row = 0; row < texts->row_count; row++) {
        int64_t end = first_string(texts, row + 1), position = NONE;
        strings[row] = words[row] = NONE;
        for (int64_t string = first_string(texts, row); string < end && position == NONE; string++) {
            Reader reader = open_text(shingling, text_of(texts, string));
            while (reader.more && position == NONE) {
                size_t i = 0, count = next_shingles(alphabet, shingling, power, &reader, shingles);
                while (i < count && (position = position_of(known, shingles[i])) == NONE) i++;
                if (position == NONE) continue;
                strings[row] = string;
                words[row] = (int64_t)(reader.first + i);
            }
        }
        positions[row] = position;
    }
}
