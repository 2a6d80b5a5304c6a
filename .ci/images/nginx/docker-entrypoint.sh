#!/bin/sh
# Does what people use the official entrypoint for: templates filled in from the environment, and scripts in /docker-entrypoint.d.
set -eu

fill_in_templates() {
    if [ -d /etc/nginx/templates ] && [ -w /etc/nginx/conf.d ]; then
        # Only variables that exist are replaced: nginx's own $host and the like stay.
        names=$(env | sed 's/=.*//; s/^/$/' | tr '\n' ' ')
        for template in /etc/nginx/templates/*.template; do
            [ -e "$template" ] || continue
            name=$(basename "$template" .template)
            envsubst "$names" <"$template" >"/etc/nginx/conf.d/$name"
        done
    fi
}

run_scripts() {
    for script in /docker-entrypoint.d/*.envsh /docker-entrypoint.d/*.sh; do
        [ -x "$script" ] || continue
        # shellcheck disable=SC1090  # whatever is mounted there
        case $script in
            *.envsh) . "$script" ;;
            *) "$script" ;;
        esac
    done
}

if [ "${1:-}" = nginx ]; then
    fill_in_templates
    run_scripts
fi
exec "$@"
