"""The command line: one module a command, one package a group of commands. Only this package prints or exits."""
