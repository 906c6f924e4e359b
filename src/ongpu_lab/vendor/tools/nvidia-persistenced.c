/* nvidia-persistenced of a lab host: a daemon that keeps persistence mode on for all GPUs while it runs. Options as in
 * nvidia-persistenced(1): --no-persistence-mode, --verbose; others are ignored.
 */
#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#define HOST "/etc/ongpu-lab/host.ini"
#define DIRECTORY "/run/nvidia-persistenced"
#define PID_FILE DIRECTORY "/nvidia-persistenced.pid"

static void *library;

static int call(const char *name, void *first, void *second)
{
    int (*function)(void *, void *);
    *(void **)&function = dlsym(library, name);
    return function ? function(first, second) : -1;
}

static int set_all(int mode)
{
    unsigned count = 0;
    if (call("nvmlDeviceGetCount_v2", &count, NULL) != 0)
        return 0;
    for (unsigned index = 0; index < count; index++) {
        void *gpu;
        int code = call("nvmlDeviceGetHandleByIndex_v2", (void *)(size_t)index, &gpu);
        if (code == 0)
            code = call("nvmlDeviceSetPersistenceMode", gpu, (void *)(size_t)mode);
        syslog(code ? LOG_WARNING : LOG_NOTICE, "device %u - persistence mode %s%s.", index, mode ? "enabled" : "disabled",
               code ? " failed" : "");
    }
    return 1;
}

static int start(void)
{
    library = dlopen("libnvidia-ml.so.1", RTLD_NOW);
    return library && call("nvmlInit_v2", NULL, NULL) == 0;
}

static int fail(const char *why)
{
    syslog(LOG_ERR, "%s", why);
    fprintf(stderr, "nvidia-persistenced failed to initialize. Check syslog for more details.\n");
    return 1;
}

static int write_pid(pid_t pid)
{
    mkdir(DIRECTORY, 0755);
    FILE *file = fopen(PID_FILE, "w");
    if (!file)
        return 0;
    fprintf(file, "%ld\n", (long)pid);
    return fclose(file) == 0;
}

int main(int count, char **arguments)
{
    int mode = 1, received;
    sigset_t signals;
    openlog("nvidia-persistenced", LOG_PID, LOG_DAEMON);
    for (int i = 1; i < count; i++)
        if (!strcmp(arguments[i], "--no-persistence-mode"))
            mode = 0;
    if (access(HOST, F_OK) != 0)
        return fail("this is the ongpu lab's stand-in, it runs only on lab hosts (" HOST " is missing)");
    if (!start())
        return fail("Failed to query NVIDIA devices. Please ensure that the NVIDIA device files (/dev/nvidia*) exist, "
                    "and that user 0 has read and write permissions for those files.");
    /* Blocked before the fork: a signal that comes early waits. */
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    pid_t child = fork();
    if (child < 0)
        return fail(strerror(errno));
    if (child > 0)
        return write_pid(child) ? 0 : fail("Failed to write the PID file " PID_FILE ".");
    setsid();
    syslog(LOG_NOTICE, "Started (%ld)", (long)getpid());
    if (mode && !set_all(1))
        return fail("Failed to set persistence mode.");
    sigwait(&signals, &received);
    syslog(LOG_NOTICE, "Received signal %d", received);
    if (mode)
        set_all(0);
    unlink(PID_FILE);
    syslog(LOG_NOTICE, "Shutdown (%ld)", (long)getpid());
    return 0;
}
