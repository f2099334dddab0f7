/* A runtime inside GLib's main loop, beside a timer of GLib's own. Type `examples/glib/run`. */

#include <glib-unix.h>
#include <glib.h>
#include <stdio.h>
#include <stdlib.h>

#include "guest.h"

#define QUESTIONS 5

static GMainLoop *loop;
static unsigned asked, answered;

static void answer(unsigned number, unsigned doubled, void *data)
{
	(void)data;
	printf("the double of %u is %u\n", number, doubled);
	if (++answered == QUESTIONS)
		g_main_loop_quit(loop);
}

/* GLib has found the guest's descriptor readable: for a socket, a timer or another thread, or for what
 * `guest_ask` has put in. */
static gboolean take_a_turn(gint fd, GIOCondition condition, gpointer guest)
{
	(void)fd;
	(void)condition;
	if (!guest_turn(guest))
		exit(EXIT_FAILURE);
	return G_SOURCE_CONTINUE;
}

/* GLib's own timer: the next question when the last is answered. */
static gboolean tick(gpointer guest)
{
	if (asked == answered && asked < QUESTIONS)
		guest_ask(guest, ++asked);
	return G_SOURCE_CONTINUE;
}

int main(void)
{
	struct guest *guest = guest_new(answer, NULL);

	if (!guest)
		return EXIT_FAILURE;
	loop = g_main_loop_new(NULL, FALSE);
	guint turns = g_unix_fd_add(guest_fd(guest), G_IO_IN, take_a_turn, guest);
	guint ticks = g_timeout_add(10, tick, guest);

	g_main_loop_run(loop);

	g_source_remove(ticks);
	g_source_remove(turns);
	guest_free(guest);
	g_main_loop_unref(loop);
	printf("%u answers\n", answered);
	return EXIT_SUCCESS;
}
