# nginx with its configuration and pages, since a swarm's nodes have no checkout to mount:
#   docker build --file deploy/swarm/nginx.Dockerfile --tag primes-nginx nginx
ARG NGINX_IMAGE=nginx:1.30
FROM ${NGINX_IMAGE}
COPY . /etc/nginx
COPY static /var/www/static
COPY operators /var/www/operators
