/* A runtime as a guest of a C program's loop: wait for the descriptor, take a turn, wait again.
 * All of it belongs to the thread that made the guest. */

struct guest;

/* What came of `guest_ask`. It is called inside of `guest_turn`, and must not call that. */
typedef void guest_answer(unsigned number, unsigned answer, void *data);

/* NULL if there are no descriptors left; stderr has the reason. */
struct guest *guest_new(guest_answer *answer, void *data);

/* Readable when a turn has something to do. Not to be read from, nor closed. */
int guest_fd(const struct guest *guest);

/* One turn, which does not wait. False if the guest cannot go on; stderr has the reason. */
_Bool guest_turn(struct guest *guest);

/* Has a number doubled, which takes a socket, a timer and another thread. */
void guest_ask(struct guest *guest, unsigned number);

/* Take the descriptor out of the loop before. */
void guest_free(struct guest *guest);
