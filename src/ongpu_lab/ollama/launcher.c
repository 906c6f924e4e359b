/* The programs `ollama` and `llama-server` of the lab: a real executable, so that /proc/PID/exe, cmdline and comm look as
 * they should, which runs the stand-in under the interpreter that lies next to it in `.lab`. */
#include <dlfcn.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef START
#define START "from ongpu_lab.ollama.standin.entry import run; run()"
#endif

static char home[4096];
static wchar_t wide_home[4096];

static void *load(const char *library)
{
    char path[4300];
    snprintf(path, sizeof path, "%s/%s", home, library);
    return dlopen(path, RTLD_NOW | RTLD_GLOBAL);
}

static int find_home(void)
{
    char exe[4000];
    ssize_t length = readlink("/proc/self/exe", exe, sizeof exe - 1);
    if (length < 0)
        return 0;
    exe[length] = 0;
    char *directory = dirname(exe);
    snprintf(home, sizeof home, "%s/.lab", directory);
    if (access(home, F_OK))
        snprintf(home, sizeof home, "%s/../lib/ollama/.lab", directory);
    return access(home, F_OK) == 0;
}

int main(int argc, char **argv)
{
    if (!find_home()) {
        fprintf(stderr, "%s: the lab's stand-in is not complete: lib/ollama/.lab is missing\n", argv[0]);
        return 1;
    }
    load("libexpat.so.1");
    load("libffi.so.8");
    void *python = load(PYTHON);
    if (!python) {
        fprintf(stderr, "%s: the lab's stand-in cannot start: %s\n", argv[0], dlerror());
        return 1;
    }
    void (*set_home)(const wchar_t *) = (void (*)(const wchar_t *))dlsym(python, "Py_SetPythonHome");
    int (*run)(int, char **) = (int (*)(int, char **))dlsym(python, "Py_BytesMain");
    mbstowcs(wide_home, home, sizeof wide_home / sizeof *wide_home - 1);
    set_home(wide_home);
    char *first[] = {argv[0], "-I", "-B", "-S", "-X", "utf8", "-c", START};
    int count = sizeof first / sizeof *first;
    char **arguments = calloc((size_t)(argc + count), sizeof *arguments);
    memcpy(arguments, first, sizeof first);
    memcpy(arguments + count, argv + 1, (size_t)argc * sizeof *argv);
    return run(argc + count - 1, arguments);
}
