/* The nearest accepted sequence by ROUGE-L F1, exactly, while sequences keep coming in.
 *
 * ROUGE-L F1 of sequences of m and n tokens is 2pr / (p + r) with p = lcs / n and r = lcs / m, which is
 * 2 lcs / (m + n) but for rounding (Lin, 2004). A pair above the threshold therefore shares at least
 * need(m, n) tokens, and such pairs are found as in a join of sets:
 *
 *   - The k-th occurrence of a token in a sequence is an element of its own, so that sequences become
 *     sets. Elements have one global order, rare ones first.
 *   - Two sets that share need elements share one among their first m - need + 1 and n - need + 1 (prefix
 *     filter: Chaudhuri et al., ICDE 2006; bounds on size and position: Xiao et al., WWW 2008). Only these
 *     are listed and looked up.
 *   - Each element flips one of 128 bits. Bits in which two sequences differ are elements that only one of
 *     them has, so too many of them rule a pair out (bitmap filter: Sandes et al., EDBT 2019).
 *   - What is left is decided by the length of the longest common subsequence, 64 columns at a time
 *     (Hyyro, 2004).
 *
 * No step may lose a pair; all decisions are made by the floating point expression of the reference. The
 * order of the elements is made anew whenever half as many sequences have come in as there were; elements
 * that turn up in between are the rarest.
 *
 * Functions return FAILED when memory ends; the index must then be closed. One thread at a time.
 */
#include <float.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if defined(FLT_EVAL_METHOD) && FLT_EVAL_METHOD != 0
#error "scores need doubles that are rounded to doubles"
#endif

#define NONE UINT32_MAX
#define ABSENT (-1)
#define FAILED (-2)
#define FIRST_REORDERING 512
#define OLD_ORDER (1u << 31) /* orders of elements from here on are known frequencies, below are new ones */
#define LONG UINT16_MAX      /* a length that does not fit into a posting */

typedef struct {
    uint32_t row;
    uint16_t length; /* of the row */
    uint16_t rest;   /* elements of the row from this one on, in the global order */
    uint64_t bits;   /* the row's signature, folded */
} Posting;

typedef struct {
    uint32_t order; /* the global order: rare elements first */
    uint32_t next;  /* the element of the next occurrence of the same token */
    uint32_t count, room;
    uint32_t sorted; /* how many of the postings are; later ones stand as they came */
    uint32_t frequency; /* in how many rows it is */
    Posting *postings;
} Element;

typedef struct {
    uint64_t columns;  /* of the LCS: where the token stands in the present block of the query */
    uint32_t first;    /* element of the first occurrence */
    uint32_t last;     /* element of the last occurrence in the present sequence */
    uint64_t sequence; /* which sequence `last` is about */
} Token;

typedef struct {
    uint64_t bits[2];
    uint64_t start; /* into `tokens` */
    uint32_t length;
    uint32_t seen; /* the last query that this row was compared with */
} Row;

typedef struct {
    double threshold;
    Token *vocabulary;
    Element *elements;
    Row *rows;
    uint32_t *tokens; /* of all rows, one after the other */
    uint64_t vocabulary_count, element_count, row_count, token_count;
    uint64_t vocabulary_room, element_room, row_room, token_room;
    uint64_t next_reordering, sequence;
    uint32_t fresh, query, longest;
    /* Scratch, for one sequence. */
    uint64_t *ordered; /* order and element in one number, sorted */
    uint32_t *needs;   /* by length of the other sequence */
    uint8_t *carries;  /* of the LCS, by position in the other sequence */
    uint64_t ordered_room, needs_room, carries_room;
    int counts_bits;
} Index;

typedef struct {
    const uint32_t *tokens;
    uint32_t length;
    uint64_t bits[2];
    uint32_t shortest, longest; /* lengths that can be above the threshold */
    double score;
    int64_t row;
} Query;

/* ---- memory ---- */

/* Makes room for `wanted` items, new ones zero; returns 0 when memory ends. */
static int reserve(void **items, uint64_t *room, uint64_t wanted, size_t size) {
    if (wanted <= *room) return 1;
    uint64_t larger = *room + *room / 2 + 16;
    if (larger < wanted) larger = wanted;
    void *moved = realloc(*items, larger * size);
    if (!moved) return 0;
    memset((char *)moved + *room * size, 0, (larger - *room) * size);
    *items = moved;
    *room = larger;
    return 1;
}

#define RESERVE(items, room, wanted) reserve((void **)&(items), &(room), (wanted), sizeof *(items))

/* ---- scores and their bounds ---- */

static double f1(uint32_t lcs, uint32_t m, uint32_t n) {
    if (lcs == 0) return 0.0;
    double precision = (double)lcs / n, recall = (double)lcs / m;
    return 2 * precision * recall / (precision + recall);
}

/* Whether the score exceeds another; divides only where rounding could decide. */
static inline int exceeds(uint32_t lcs, uint32_t m, uint32_t n, double least) {
    double twice = 2.0 * lcs, other = least * ((double)m + n);
    if (twice < other * 0.999999 || twice > other * 1.000001) return twice > other;
    return f1(lcs, m, n) > least;
}

static uint32_t smaller(uint32_t a, uint32_t b) { return a < b ? a : b; }

/* Returns the least LCS above the threshold, or a larger number than m or n where there is none. */
static uint32_t need(double threshold, uint32_t m, uint32_t n) {
    uint32_t most = smaller(m, n);
    double guess = threshold * ((double)m + n) / 2;
    uint32_t lcs = guess < most ? (uint32_t)guess : most;
    while (lcs > 0 && f1(lcs, m, n) > threshold) lcs--;
    do lcs++;
    while (lcs <= most && !(f1(lcs, m, n) > threshold));
    return lcs;
}

/* Returns the least length that can be above the threshold with n; n + 1 where there is none. */
static uint32_t shortest(double threshold, uint32_t n) {
    uint32_t m = (uint32_t)(threshold * n / (2 - threshold));
    if (m > n) m = n;
    while (m > 0 && f1(m, m, n) > threshold) m--;
    do m++;
    while (m <= n && !(f1(m, m, n) > threshold));
    return m;
}

/* ---- elements ---- */

static uint64_t signature_bit(uint32_t element) { return (element * UINT64_C(0x9E3779B97F4A7C15)) >> 57; }

static uint32_t new_element(Index *index) {
    if (index->element_count >= NONE) return NONE;
    if (!RESERVE(index->elements, index->element_room, index->element_count + 1)) return NONE;
    Element *element = &index->elements[index->element_count];
    element->order = --index->fresh;
    element->next = NONE;
    return (uint32_t)index->element_count++;
}

/* Writes the elements of a sequence to `ordered`, unsorted, and their signature; 0 when memory ends. */
static int take_elements(Index *index, const uint32_t *tokens, uint32_t count, uint64_t bits[2]) {
    index->sequence++;
    bits[0] = bits[1] = 0;
    if (!RESERVE(index->ordered, index->ordered_room, count)) return 0;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t known = index->vocabulary_count;
        if (tokens[i] >= known) {
            if (!RESERVE(index->vocabulary, index->vocabulary_room, (uint64_t)tokens[i] + 1)) return 0;
            index->vocabulary_count = (uint64_t)tokens[i] + 1;
            for (; known < index->vocabulary_count; known++) index->vocabulary[known].first = NONE;
        }
        Token *token = &index->vocabulary[tokens[i]];
        int again = token->sequence == index->sequence;
        uint32_t element = again ? index->elements[token->last].next : token->first;
        if (element == NONE) {
            if ((element = new_element(index)) == NONE) return 0;
            if (again) index->elements[token->last].next = element;
            else token->first = element;
        }
        token->sequence = index->sequence;
        token->last = element;
        uint64_t bit = signature_bit(element);
        bits[bit >> 6] ^= UINT64_C(1) << (bit & 63);
        index->ordered[i] = (uint64_t)index->elements[element].order << 32 | element;
    }
    return 1;
}

static int compare_postings(const void *a, const void *b) {
    const Posting *x = a, *y = b;
    if (x->length != y->length) return x->length < y->length ? -1 : 1;
    return (x->rest < y->rest) - (x->rest > y->rest);
}

static int compare(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void sort(uint64_t *items, uint32_t count) {
    if (count > 48) {
        qsort(items, count, sizeof *items, compare);
        return;
    }
    for (uint32_t i = 1; i < count; i++) {
        uint64_t item = items[i];
        uint32_t j = i;
        for (; j > 0 && items[j - 1] > item; j--) items[j] = items[j - 1];
        items[j] = item;
    }
}

/* Lists a row under the elements of its prefix, which stand sorted in `ordered`. */
static int list_row(Index *index, uint32_t row) {
    uint32_t n = index->rows[row].length;
    uint64_t bits = index->rows[row].bits[0] ^ index->rows[row].bits[1];
    uint32_t least = shortest(index->threshold, n);
    for (uint32_t j = 0; j + least <= n; j++) {
        Element *element = &index->elements[(uint32_t)index->ordered[j]];
        if (element->count == element->room) {
            uint32_t room = element->room + element->room / 2 + 1;
            Posting *moved = realloc(element->postings, room * sizeof *moved);
            if (!moved) return 0;
            element->postings = moved;
            element->room = room;
        }
        Posting *posting = &element->postings[element->count++];
        posting->row = row;
        posting->length = n < LONG ? (uint16_t)n : LONG;
        posting->rest = n - j < LONG ? (uint16_t)(n - j) : LONG;
        posting->bits = bits;
    }
    return 1;
}

/* Orders the elements by how many rows have them, and lists every row anew. */
static int reorder(Index *index) {
    uint64_t count = index->element_count, unused[2];
    if (!RESERVE(index->ordered, index->ordered_room, count)) return 0;
    for (uint64_t i = 0; i < count; i++) {
        Element *element = &index->elements[i];
        index->ordered[i] = (uint64_t)element->frequency << 32 | i;
        free(element->postings);
        element->postings = NULL;
        element->count = element->room = element->sorted = 0;
    }
    qsort(index->ordered, count, sizeof *index->ordered, compare);
    for (uint64_t i = 0; i < count; i++)
        index->elements[(uint32_t)index->ordered[i]].order = OLD_ORDER + (uint32_t)i;
    index->fresh = OLD_ORDER;
    for (uint64_t row = 0; row < index->row_count; row++) {
        Row *each = &index->rows[row];
        if (!take_elements(index, index->tokens + each->start, each->length, unused)) return 0;
        sort(index->ordered, each->length);
        if (!list_row(index, (uint32_t)row)) return 0;
    }
    for (uint64_t i = 0; i < count; i++) {
        Element *element = &index->elements[i];
        qsort(element->postings, element->count, sizeof *element->postings, compare_postings);
        element->sorted = element->count;
    }
    return 1;
}

/* Adds the sequence whose elements stand sorted in `ordered`. */
static int add_row(Index *index, const uint32_t *tokens, uint32_t length, const uint64_t bits[2]) {
    if (index->row_count >= NONE || !RESERVE(index->rows, index->row_room, index->row_count + 1) ||
        !RESERVE(index->tokens, index->token_room, index->token_count + length))
        return 0;
    Row *row = &index->rows[index->row_count];
    *row = (Row){{bits[0], bits[1]}, index->token_count, length, 0};
    if (length) memcpy(index->tokens + index->token_count, tokens, length * sizeof *tokens);
    index->token_count += length;
    if (length > index->longest) index->longest = length;
    for (uint32_t i = 0; i < length; i++) index->elements[(uint32_t)index->ordered[i]].frequency++;
    if (!list_row(index, (uint32_t)index->row_count++)) return 0;
    if (index->row_count < index->next_reordering) return 1;
    index->next_reordering = index->row_count + index->row_count / 2;
    return reorder(index);
}

/* ---- comparison ---- */

static void set_columns(Index *index, const Query *query, uint32_t start, uint32_t end) {
    for (uint32_t i = start; i < end; i++)
        index->vocabulary[query->tokens[i]].columns |= UINT64_C(1) << (i - start);
}

static void clear_columns(Index *index, const Query *query, uint32_t start, uint32_t end) {
    for (uint32_t i = start; i < end; i++) index->vocabulary[query->tokens[i]].columns = 0;
}

static uint32_t unset_bits(uint64_t row, uint32_t width) {
    uint64_t within = width < 64 ? (UINT64_C(1) << width) - 1 : UINT64_MAX;
    return (uint32_t)__builtin_popcountll(~row & within);
}

/* Returns the length of the LCS of the query, whose columns are set if they are one block, and a row. */
static uint32_t lcs_length(Index *index, const Query *query, const Row *row) {
    const uint32_t *tokens = index->tokens + row->start;
    if (query->length <= 64) {
        uint64_t v = UINT64_MAX;
        for (uint32_t j = 0; j < row->length; j++) {
            uint64_t u = v & index->vocabulary[tokens[j]].columns;
            v = (v + u) | (v - u);
        }
        return unset_bits(v, query->length);
    }
    uint32_t found = 0;
    memset(index->carries, 0, row->length);
    for (uint32_t start = 0; start < query->length; start += 64) {
        uint32_t end = query->length - start > 64 ? start + 64 : query->length;
        set_columns(index, query, start, end);
        uint64_t v = UINT64_MAX;
        for (uint32_t j = 0; j < row->length; j++) {
            uint64_t u = v & index->vocabulary[tokens[j]].columns;
            uint64_t sum = v + u, all = sum + index->carries[j];
            index->carries[j] = (uint8_t)((sum < v) | (all < sum));
            v = all | (v - u);
        }
        clear_columns(index, query, start, end);
        found += unset_bits(v, end - start);
    }
    return found;
}

/* Takes the row for the nearest one if it is above the threshold and better than what was found. */
static void compare_row(Index *index, Query *query, uint32_t number, uint32_t at_most) {
    Row *row = &index->rows[number];
    /* What cannot reach the best score, or only reach it with a later row, is not compared. */
    double bound = f1(at_most, query->length, row->length);
    if (bound < query->score || (bound == query->score && (int64_t)number > query->row)) return;
    double score = f1(lcs_length(index, query, row), query->length, row->length);
    if (score > query->score || (score == query->score && query->row >= 0 && (int64_t)number < query->row)) {
        query->score = score;
        query->row = number;
    }
}

/* What counts bits is compiled twice, so that it stands in functions that are inlined into `..._fast`. */
#define INLINED static inline __attribute__((always_inline))

INLINED uint32_t different_bits(const Query *query, const Row *row) {
    return (uint32_t)(__builtin_popcountll(query->bits[0] ^ row->bits[0]) +
                      __builtin_popcountll(query->bits[1] ^ row->bits[1]));
}

INLINED void check_posting(Index *index, Query *query, const Posting *posting, uint32_t n, uint32_t least) {
    uint32_t most_different = query->length + n - 2 * least;
    uint64_t bits = query->bits[0] ^ query->bits[1] ^ posting->bits;
    if ((uint32_t)__builtin_popcountll(bits) > most_different) return;
    Row *row = &index->rows[posting->row];
    if (row->seen == index->query) return;
    row->seen = index->query;
    uint32_t different = different_bits(query, row);
    if (different > most_different) return;
    uint32_t shared = (query->length + n - different) / 2;
    compare_row(index, query, posting->row, smaller(shared, smaller(query->length, n)));
}

/* Returns the first of the sorted postings from `start` on that is of a row of at least this length. */
static uint32_t skip_to(const Element *element, uint32_t start, uint32_t length) {
    uint32_t step = 1, end = start;
    while (end < element->sorted && element->postings[end].length < length) {
        start = end + 1;
        end += step;
        step *= 2;
    }
    if (end > element->sorted) end = element->sorted;
    while (start < end) {
        uint32_t middle = start + (end - start) / 2;
        if (element->postings[middle].length < length) start = middle + 1;
        else end = middle;
    }
    return start;
}

/* Checks the rows that an element leads to, when `query_rest` elements of the query are left. */
INLINED void scan_postings(Index *index, Query *query, const Element *element, uint32_t query_rest) {
    uint32_t i = skip_to(element, 0, smaller(query->shortest, LONG));
    while (i < element->sorted) {
        const Posting *posting = &element->postings[i];
        uint32_t n = posting->length;
        if (n == LONG) break;
        if (n > query->longest || index->needs[n - query->shortest] > query_rest) {
            i = element->sorted; /* longer rows need still more */
            break;
        }
        uint32_t least = index->needs[n - query->shortest];
        if (posting->rest < least) {
            i = skip_to(element, i, n + 1);
            continue;
        }
        check_posting(index, query, posting, n, least);
        i++;
    }
    for (; i < element->count; i++) {
        const Posting *posting = &element->postings[i];
        uint32_t n = posting->length, rest = posting->rest;
        if (n == LONG) {
            n = index->rows[posting->row].length;
            if (rest == LONG) rest = n;
        }
        if (n < query->shortest || n > query->longest) continue;
        uint32_t least = index->needs[n - query->shortest];
        if (least <= query_rest && least <= rest) check_posting(index, query, posting, n, least);
    }
}

/* Writes the `wanted` rows with the highest scores above 0 and returns how many there are. */
INLINED uint32_t scan_rows(Index *index, const Query *query, uint32_t wanted, int64_t *positions,
                           double *scores) {
    uint32_t found = 0, m = query->length;
    for (uint64_t i = 0; wanted && i < index->row_count; i++) {
        const Row *row = &index->rows[i];
        double least = found == wanted ? scores[wanted - 1] : 0.0;
        uint32_t most = smaller(m, row->length);
        if (!most || !exceeds(most, m, row->length, least)) continue;
        most = smaller(most, (m + row->length - different_bits(query, row)) / 2);
        if (!exceeds(most, m, row->length, least)) continue;
        double score = f1(lcs_length(index, query, row), m, row->length);
        if (score <= least) continue;
        uint32_t place = found < wanted ? found++ : wanted - 1;
        for (; place > 0 && scores[place - 1] < score; place--) {
            scores[place] = scores[place - 1];
            positions[place] = positions[place - 1];
        }
        scores[place] = score;
        positions[place] = (int64_t)i;
    }
    return found;
}

static void scan_postings_portably(Index *index, Query *query, const Element *element, uint32_t rest) {
    scan_postings(index, query, element, rest);
}

static uint32_t scan_rows_portably(Index *index, const Query *query, uint32_t wanted, int64_t *positions,
                                   double *scores) {
    return scan_rows(index, query, wanted, positions, scores);
}

#if defined(__x86_64__) && !defined(__POPCNT__)
/* Processors have counted bits since 2008, but the baseline has no instruction for it. */
#define COUNTS_BITS __attribute__((target("popcnt")))

COUNTS_BITS static void scan_postings_fast(Index *index, Query *query, const Element *element,
                                           uint32_t rest) {
    scan_postings(index, query, element, rest);
}

COUNTS_BITS static uint32_t scan_rows_fast(Index *index, const Query *query, uint32_t wanted,
                                           int64_t *positions, double *scores) {
    return scan_rows(index, query, wanted, positions, scores);
}

static int counts_bits(void) {
    __builtin_cpu_init();
    return __builtin_cpu_supports("popcnt") != 0;
}
#else
#define scan_postings_fast scan_postings_portably
#define scan_rows_fast scan_rows_portably
static int counts_bits(void) { return 0; }
#endif

/* Fills in what of the query depends on its length; returns 0 when memory ends. */
static int set_bounds(Index *index, Query *query) {
    uint32_t m = query->length;
    query->shortest = shortest(index->threshold, m);
    query->longest = query->shortest <= m ? index->longest : 0;
    if (query->shortest > query->longest) return 1;
    if (!RESERVE(index->needs, index->needs_room, (uint64_t)query->longest - query->shortest + 1)) return 0;
    for (uint32_t n = query->shortest; n <= query->longest; n++) {
        uint32_t least = need(index->threshold, m, n);
        if (least > m) { /* longer ones need still more */
            query->longest = n - 1;
            break;
        }
        index->needs[n - query->shortest] = least;
    }
    return 1;
}

/* Finds the nearest row of the query, whose elements stand sorted in `ordered`. */
static int find_nearest(Index *index, Query *query) {
    query->score = index->threshold;
    query->row = ABSENT;
    if (!query->length || !set_bounds(index, query)) return !query->length;
    if (query->shortest > query->longest) return 1;
    if (query->length <= 64) set_columns(index, query, 0, query->length);
    else if (!RESERVE(index->carries, index->carries_room, index->longest)) return 0;
    if (++index->query == 0) { /* after four thousand million queries the marks would repeat */
        for (uint64_t i = 0; i < index->row_count; i++) index->rows[i].seen = 0;
        index->query = 1;
    }
    for (uint32_t i = 0; i + query->shortest <= query->length; i++) {
        const Element *element = &index->elements[(uint32_t)index->ordered[i]];
        if (index->counts_bits) scan_postings_fast(index, query, element, query->length - i);
        else scan_postings_portably(index, query, element, query->length - i);
    }
    if (query->length <= 64) clear_columns(index, query, 0, query->length);
    return 1;
}

static int prepare(Index *index, Query *query, const uint32_t *tokens, uint32_t length) {
    query->tokens = tokens;
    query->length = length;
    if (!take_elements(index, tokens, length, query->bits)) return 0;
    sort(index->ordered, length);
    return 1;
}

/* ---- interface ---- */

/* Which source this library was made of. */
const char *novelty_source(void) { return SOURCE_DIGEST; }

/* Returns an empty index for a threshold in (0, 1], or NULL when memory ends. */
void *novelty_open(double threshold) {
    Index *index = calloc(1, sizeof *index);
    if (!index) return NULL;
    index->threshold = threshold;
    index->next_reordering = FIRST_REORDERING;
    index->fresh = OLD_ORDER;
    index->counts_bits = counts_bits();
    return index;
}

void novelty_close(void *opened) {
    Index *index = opened;
    for (uint64_t i = 0; i < index->element_count; i++) free(index->elements[i].postings);
    free(index->vocabulary);
    free(index->elements);
    free(index->rows);
    free(index->tokens);
    free(index->ordered);
    free(index->needs);
    free(index->carries);
    free(index);
}

/* Adds a sequence and returns its position. */
int64_t novelty_add(void *opened, const uint32_t *tokens, uint32_t length) {
    Index *index = opened;
    Query query;
    int64_t position = (int64_t)index->row_count;
    if (!prepare(index, &query, tokens, length)) return FAILED;
    return add_row(index, tokens, length, query.bits) ? position : FAILED;
}

/* Returns the first of the nearest rows above the threshold and writes its score, or ABSENT. */
int64_t novelty_nearest(void *opened, const uint32_t *tokens, uint32_t length, double *score) {
    Query query;
    if (!prepare(opened, &query, tokens, length) || !find_nearest(opened, &query)) return FAILED;
    *score = query.score;
    return query.row;
}

/* Takes sequences in order, `ends` being where each ends in `tokens`; adds those that have no row above the
 * threshold. Writes the nearest row, or ABSENT for what was added, and the score of each; returns how many
 * were added. */
int64_t novelty_filter(void *opened, const uint32_t *tokens, const uint64_t *ends, uint64_t count,
                       int64_t *nearest, double *scores) {
    Index *index = opened;
    uint64_t start = 0, before = index->row_count;
    for (uint64_t i = 0; i < count; start = ends[i++]) {
        Query query;
        uint32_t length = (uint32_t)(ends[i] - start);
        if (!prepare(index, &query, tokens + start, length) || !find_nearest(index, &query)) return FAILED;
        nearest[i] = query.row;
        scores[i] = query.score;
        if (query.row == ABSENT && !add_row(index, tokens + start, length, query.bits)) return FAILED;
    }
    return (int64_t)(index->row_count - before);
}

/* Writes the `wanted` rows with the highest scores above 0, best first and earlier first among equals;
 * returns how many there are. */
int64_t novelty_most_similar(void *opened, const uint32_t *tokens, uint32_t length, uint32_t wanted,
                             int64_t *positions, double *scores) {
    Index *index = opened;
    Query query;
    if (!prepare(index, &query, tokens, length)) return FAILED;
    if (length <= 64) set_columns(index, &query, 0, length);
    else if (!RESERVE(index->carries, index->carries_room, index->longest)) return FAILED;
    uint32_t found = index->counts_bits ? scan_rows_fast(index, &query, wanted, positions, scores)
                                        : scan_rows_portably(index, &query, wanted, positions, scores);
    if (length <= 64) clear_columns(index, &query, 0, length);
    return found;
}
